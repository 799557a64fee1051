"""The AnomalyGate component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.anomaly_gate.checks import Expectations
from components.anomaly_gate.executor import Executor
from janus_core.fingerprint import node_fingerprint


class AnomalyGateSpec(ComponentSpec):
    """Inputs and parameters of the gate; it has no output, only success."""

    PARAMETERS = {"expectations": ExecutionParameter(type=str), "code": ExecutionParameter(type=str)}
    INPUTS = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS: dict[str, ChannelParameter] = {}


class AnomalyGate(base_component.BaseComponent):
    """Fails, with the list of what is wrong, where the data is not what schema and configuration expect.

    Give it to other components by `add_upstream_node`, so that they wait for it.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, statistics: BaseChannel, anomalies: BaseChannel, schema: BaseChannel, expectations: Expectations
    ):
        spec = AnomalyGateSpec(
            statistics=statistics,
            anomalies=anomalies,
            schema=schema,
            expectations=expectations.model_dump_json(),
            # A gate that has become stricter must check again what it passed before.
            code=node_fingerprint(type(self)),
        )
        super().__init__(spec=spec)
