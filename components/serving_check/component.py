"""The ServingCheck component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.serving_check.config import CheckConfig
from components.serving_check.driver import Driver
from components.serving_check.executor import Executor
from janus_core.fingerprint import node_fingerprint

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
