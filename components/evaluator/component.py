"""The Evaluator component with a choice of engine."""

from typing import Any

from tfx.components import Evaluator
from tfx.dsl.components.base import executor_spec

from components.evaluator.executor import BatchExecutor, StockExecutor
from janus_core.fingerprint import modules_in, source_fingerprint

SOURCES = ("components.evaluator.executor", *modules_in("components.metrics"))
"""The configuration names the metrics' modules."""


class BatchEvaluator(Evaluator):
    """TFX's Evaluator; metrics are computed from batches.

    Takes the same arguments and gives the same artifacts as its base.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(BatchExecutor)

    def __init__(self, **arguments: Any):
        super().__init__(**arguments)
        _add_fingerprint(self)


class StockEvaluator(Evaluator):
    """TFX's Evaluator; TFMA computes the metrics row by row."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(StockExecutor)

    def __init__(self, **arguments: Any):
        super().__init__(**arguments)
        _add_fingerprint(self)


ENGINES: dict[str, type[Evaluator]] = {"batch": BatchEvaluator, "tfma": StockEvaluator}


def _add_fingerprint(component: Evaluator) -> None:
    # TFX's cache compares parameters: without this one, an edit of a metric would not be seen.
    code = source_fingerprint(*SOURCES)
    component.spec.exec_properties["code"] = code
