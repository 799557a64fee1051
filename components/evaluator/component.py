"""The Evaluator component with a choice of engine."""

from typing import Any

from tfx.components import Evaluator
from tfx.dsl.components.base import executor_spec

from components.evaluator.executor import GATES, BatchExecutor, StockExecutor
from components.evaluator.gates import Gates
from janus_core.fingerprint import modules_in, node_fingerprint


class _Evaluator(Evaluator):
    """TFX's Evaluator, with its arguments and artifacts, and gates beyond TFMA's; its cache knows the code."""

    def __init__(self, gates: Gates | None = None, **arguments: Any):
        super().__init__(**arguments)
        self.spec.exec_properties[GATES] = (gates or Gates()).model_dump_json()
        # The configuration names the metrics' modules.
        self.spec.exec_properties["code"] = node_fingerprint(type(self), *modules_in("components.metrics"))


class BatchEvaluator(_Evaluator):
    """Computes metrics from batches."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(BatchExecutor)


class StockEvaluator(_Evaluator):
    """Leaves metrics to TFMA, which computes them row by row."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(StockExecutor)


ENGINES: dict[str, type[_Evaluator]] = {"batch": BatchEvaluator, "tfma": StockEvaluator}
