"""The TFX component."""

from typing import Any

from tfx.components.statistics_gen.component import StatisticsGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

from components.statistics_gen.executor import ROWS_KEY, Executor
from components.statistics_gen.rows import RowsConfig
from janus_core.fingerprint import node_fingerprint


class ArrowStatisticsGen(StatisticsGen):
    """TFX's StatisticsGen, which reads examples in large batches.

    Takes the same arguments and gives the same artifacts as its base; with `rows`, the artifact also holds what
    AnomalyGate compares of the rows themselves (`components.statistics_gen.rows`).
    """

    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(self, rows: RowsConfig | None = None, **arguments: Any):
        super().__init__(**arguments)
        if rows is not None:
            self.spec.exec_properties[ROWS_KEY] = rows.model_dump_json()
        self.spec.exec_properties["code"] = node_fingerprint(type(self))
