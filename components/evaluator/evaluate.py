"""The batch engine as a TFMA evaluator: takes the place of MetricsPlotsAndValidationsEvaluator."""

from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.extractors import extractor
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.plan import EvaluationPlan
from components.evaluator.summarise import MergeStates, SummariseBatch
from components.evaluator.tfma_internals import AddDerivedAndDiffMetrics, remove_private_metrics

NO_BATCH_EXTRACTORS = frozenset({"ExtractUnbatchedInputs", "ExtractSliceKeys"})
"""Stages of TFMA's default extractors that take batches apart."""


def batch_extractors(**arguments: Any) -> list[tfma.extractors.Extractor]:
    """TFMA's default extractors, up to the predictions, which leave batches whole."""
    return [found for found in tfma.default_extractors(**arguments) if found.stage_name not in NO_BATCH_EXTRACTORS]


def batch_evaluator(config: config_pb2.EvalConfig, plan: EvaluationPlan) -> tfma.evaluators.Evaluator:
    """A TFMA evaluator of batched extracts that returns metrics and validations, as TFMA's own does."""
    return tfma.evaluators.Evaluator(
        stage_name="EvaluateBatches",
        run_after=extractor.LAST_EXTRACTOR_STAGE_NAME,
        ptransform=_EvaluateBatches(config, plan),
    )


class _EvaluateBatches(beam.PTransform):
    def __init__(self, config: config_pb2.EvalConfig, plan: EvaluationPlan):
        super().__init__()
        self._config = config
        self._plan = plan

    # Beam would use a more exact type as that of the elements.
    def expand(self, extracts: beam.PCollection) -> Any:
        models = [spec.name for spec in self._config.model_specs]
        metrics = (
            extracts
            | "SummariseBatches" >> beam.ParDo(SummariseBatch(self._plan, models))
            | "MergeStates" >> beam.CombinePerKey(MergeStates(self._plan))
            | "AddDerivedAndDiffMetrics"
            >> AddDerivedAndDiffMetrics(list(self._plan.derived), [], [], self._plan.baseline)
            | "RemovePrivateMetrics" >> beam.MapTuple(remove_private_metrics)
        )
        validations = metrics | "ValidateMetrics" >> beam.Map(metrics_validator.validate_metrics, self._config)
        return {constants.METRICS_KEY: metrics, constants.VALIDATIONS_KEY: validations}
