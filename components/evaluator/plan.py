"""What an EvalConfig asks for, as statistics of batches."""

from dataclasses import dataclass

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.tfma_internals import ExampleCountCombiner, separate_computations
from components.metrics.metric import StatisticCombineFn
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, grouped_sums


class WeightSum(Statistic):
    """float64 [1]: the sum of weights. Labels and predictions play no part."""

    name = "weight_sum"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        return list(grouped_sums(rows.weights[:, None], membership))


class NotBatchedError(Exception):
    """The EvalConfig holds something that is not computed from batches; the message says what."""


@dataclass(frozen=True)
class Computation:
    """A statistic of one output of one model.

    Attributes:
        statistic: what is computed.
        keys: what its state is called; they differ in nothing but their names.
    """

    statistic: Statistic
    keys: tuple[metric_types.MetricKey, ...]

    @property
    def inputs(self) -> tuple[str, str, bool]:
        """Model, output, and whether rows are weighted: computations that agree in these see the same rows."""
        key = self.keys[0]
        return key.model_name, key.output_name, bool(key.example_weighted)

    def output(self, state: np.ndarray) -> metric_types.MetricsDict:
        """The merged state as TFMA's own computations would give it."""
        value = float(state[0]) if isinstance(self.statistic, WeightSum) else state
        return dict.fromkeys(self.keys, value)


@dataclass(frozen=True)
class EvaluationPlan:
    """All that is computed.

    Attributes:
        computations: of batches.
        derived: TFMA's computations that follow from their results.
        slices: columns of each kind of slice; none for all rows together.
        baseline: name of the baseline model, if there is one.
    """

    computations: tuple[Computation, ...]
    derived: tuple[metric_types.DerivedMetricComputation, ...]
    slices: tuple[tuple[str, ...], ...]
    baseline: str | None


def make_plan(config: config_pb2.EvalConfig) -> EvaluationPlan:
    """The plan for an EvalConfig that has TFMA's defaults filled in.

    Raises:
        NotBatchedError: stock TFMA has to compute this one.
    """
    _check_options(config)
    found = separate_computations(metric_specs.to_computations(config.metrics_specs, eval_config=config))
    if found.cross_slice_computations or found.ci_derived_computations:
        raise NotBatchedError("comparisons between slices and confidence intervals are not computed from batches")
    slices = {tuple(sorted(set(spec.feature_keys))): None for spec in config.slicing_specs} or {(): None}
    baselines = [spec.name for spec in config.model_specs if spec.is_baseline]
    return EvaluationPlan(
        computations=tuple(_batched(computation) for computation in found.non_derived_computations),
        derived=tuple(found.derived_computations),
        slices=tuple(slices),
        baseline=baselines[0] if baselines else None,
    )


def _check_options(config: config_pb2.EvalConfig) -> None:
    reasons = {
        "confidence intervals": config.options.compute_confidence_intervals.value,
        "a minimal slice size": config.options.min_slice_size.value > 1,
        "slices by SQL": any(spec.slice_keys_sql for spec in config.slicing_specs),
        "slices of a fixed value": any(spec.feature_values for spec in config.slicing_specs),
        "comparisons between slices": bool(config.cross_slicing_specs),
        "query keys": any(spec.query_key for spec in config.metrics_specs),
        "models that are not plain SavedModels": any(spec.model_type != tfma.TF_GENERIC for spec in config.model_specs),
    }
    for reason, holds in reasons.items():
        if holds:
            raise NotBatchedError(f"{reason}: not computed from batches")


def _batched(computation: metric_types.MetricComputation) -> Computation:
    combiner, keys = computation.combiner, tuple(computation.keys)
    if isinstance(combiner, StatisticCombineFn):
        return Computation(combiner.statistic, keys)
    if isinstance(combiner, ExampleCountCombiner):
        return Computation(WeightSum(), keys)
    raise NotBatchedError(f"metric {keys[0].name if keys else type(combiner).__name__}: not computed from batches")
