"""The AnomalyGate component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.anomaly_gate.checks import Expectations
from components.anomaly_gate.data_gates import GatedData
from components.anomaly_gate.driver import BLESSED_STATISTICS, BlessedStatisticsDriver
from components.anomaly_gate.executor import Executor
from janus_core.fingerprint import node_fingerprint


class AnomalyGateSpec(ComponentSpec):
    """Inputs, parameters and output of the gate."""

    PARAMETERS = {
        "expectations": ExecutionParameter(type=str),
        "gated": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
        # Set by the driver.
        BLESSED_STATISTICS: ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {"result": ChannelParameter(type=standard_artifacts.ExampleAnomalies)}


class AnomalyGate(base_component.BaseComponent):
    """Fails, with the list of what is wrong, where the data is not what schema and configuration expect.

    Output `result` holds the data gates with what was measured (`components.anomaly_gate.data_gates`). Give the
    component to others by `add_upstream_node`, so that they wait for it.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = BlessedStatisticsDriver

    def __init__(
        self,
        statistics: BaseChannel,
        anomalies: BaseChannel,
        schema: BaseChannel,
        expectations: Expectations,
        gated: GatedData,
    ):
        spec = AnomalyGateSpec(
            statistics=statistics,
            anomalies=anomalies,
            schema=schema,
            result=Channel(type=standard_artifacts.ExampleAnomalies),
            expectations=expectations.model_dump_json(),
            gated=gated.model_dump_json(),
            # A gate that has become stricter must check again what it passed before.
            code=node_fingerprint(type(self)),
        )
        super().__init__(spec=spec)
