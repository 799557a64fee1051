"""The ServingCheck component."""

from tfx.dsl.components.base import base_component, base_driver, executor_spec
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import BaseChannel, Channel, artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.serving_check.config import CheckConfig
from components.serving_check.executor import BLESSED, MODEL_ID, Executor
from janus_core.fingerprint import node_fingerprint

FAILURES = "earlier_failures"


class Driver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Adds the number of times that this model failed to the execution's properties, and so to its cache key.

    Time and memory depend on the machine too: a check that failed on a busy one must be repeated, not cached.
    """

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by TFX."""
        model = artifact_utils.get_single_instance(execution_info.input_dict[specs.MODEL_KEY])
        with self._metadata_handle as handle:
            blessings = handle.store.get_artifacts_by_type(standard_artifacts.InfraBlessing.TYPE_NAME)
        failures = [
            blessing
            for blessing in blessings
            if blessing.custom_properties[MODEL_ID].int_value == model.id
            and not blessing.custom_properties[BLESSED].int_value
        ]
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[FAILURES].int_value = len(failures)
        return output


CHECKING_PROCESS = "serving.check.__main__"
"""The model is tried in a process that runs this module."""


class ServingCheckSpec(ComponentSpec):
    """Inputs, output and parameters of the check."""

    PARAMETERS = {"config": ExecutionParameter(type=str), "code": ExecutionParameter(type=str)}
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingCheck(base_component.BaseComponent):
    """Tries a model in a process of its own, as TF Serving will run it.

    Output `blessing` is an InfraBlessing as TFX's InfraValidator writes it. Its folder holds the result as `check.json`
    (see `components.serving_check.result`) and, if the model passed, the model with warm-up requests, which the Pusher
    pushes if it is given this blessing and no model. A model that fails is not blessed; the component succeeds.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, model: BaseChannel, examples: BaseChannel, statistics: BaseChannel, config: CheckConfig):
        """Describes the check.

        Args:
            model: the Trainer's.
            examples: raw tf.Examples with a split named eval.
            statistics: of these examples, with a split named train.
            config: the limits.
        """
        spec = ServingCheckSpec(
            model=model,
            examples=examples,
            statistics=statistics,
            blessing=Channel(type=standard_artifacts.InfraBlessing),
            config=config.model_dump_json(),
            code=node_fingerprint(type(self), CHECKING_PROCESS),
        )
        super().__init__(spec=spec)
