"""One batch of predictions → the statistics of each of its slices."""

from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.utils import util

from components.evaluator.plan import Computation, EvaluationPlan, WeightSum
from components.evaluator.slices import BatchFeatures, SliceKey, find_slices
from components.metrics.rows import Membership, Rows, labelled, make_rows

States = list[np.ndarray]
"""A state of each computation, in the plan's order."""


class SummariseBatch(beam.DoFn):
    """TFMA's batched extracts → (slice, states), once per slice of the batch."""

    def __init__(self, plan: EvaluationPlan, models: Sequence[str]):
        self._plan = plan
        self._models = models

    def process(self, element: tfma.Extracts) -> Iterator[tuple[SliceKey, States]]:
        """Called by Beam."""
        count = int(util.batch_size(element[constants.PREDICTIONS_KEY]))
        keys, membership = find_slices(count, _features(element, self._models), self._plan.slices)
        extracts = util.StandardExtracts(element)
        rows: dict[tuple[str, str, bool, bool], tuple[Rows, Membership]] = {}
        by_computation = []
        for computation in self._plan.computations:
            wanted = (*computation.inputs, isinstance(computation.statistic, WeightSum))
            if wanted not in rows:
                rows[wanted] = labelled(_rows(extracts, count, computation), membership)
            by_computation.append(computation.statistic.of_groups(*rows[wanted]))
        yield from zip(keys, map(list, zip(*by_computation, strict=True)), strict=True)


class MergeStates(beam.CombineFn):
    """States of the same slice → TFMA's dict of metrics.

    Some states are gathered before they are merged: a merge of many costs little more than one of two.
    """

    GATHERED = 16

    def __init__(self, plan: EvaluationPlan):
        self._plan = plan

    def create_accumulator(self) -> list[States]:
        """No states."""
        return []

    def add_input(self, accumulator: list[States], states: States) -> list[States]:
        """Adds one batch's states."""
        accumulator.append(states)
        return self.compact(accumulator) if len(accumulator) >= self.GATHERED else accumulator

    def merge_accumulators(self, accumulators: Iterable[list[States]]) -> list[States]:
        """All states, merged."""
        return self.compact([states for accumulator in accumulators for states in accumulator])

    def compact(self, accumulator: list[States]) -> list[States]:
        """The states as one."""
        if len(accumulator) < 2:
            return accumulator
        return [
            [
                computation.statistic.merge(states)
                for computation, states in zip(self._plan.computations, zip(*accumulator, strict=True), strict=True)
            ]
        ]

    def extract_output(self, accumulator: list[States]) -> metric_types.MetricsDict:
        """What TFMA's own combiners would return."""
        (states,) = self.compact(accumulator)
        metrics: metric_types.MetricsDict = {}
        for computation, state in zip(self._plan.computations, states, strict=True):
            metrics.update(computation.output(state))
        return metrics


def _features(element: tfma.Extracts, models: Sequence[str]) -> BatchFeatures:
    transformed = element.get(constants.TRANSFORMED_FEATURES_KEY) or {}
    of_models = [transformed] if len(models) == 1 else [transformed.get(model, {}) for model in models]
    return BatchFeatures(of_models, element.get(constants.FEATURES_KEY) or {})


def _rows(extracts: util.StandardExtracts, count: int, computation: Computation) -> Rows:
    model, output, weighted = computation.inputs
    weights = extracts.get_example_weights(model, output) if weighted else None
    weights = np.ones(count) if weights is None else np.asarray(weights)
    if isinstance(computation.statistic, WeightSum):
        return make_rows(np.zeros(count), np.zeros(count), weights)
    label, prediction = extracts.get_labels(model, output), extracts.get_predictions(model, output)
    if label is None or prediction is None:
        missing = "label" if label is None else "prediction"
        raise ValueError(f"output '{output}': there is no {missing}; check the model spec's keys")
    return make_rows(np.asarray(label), np.asarray(prediction), weights)
