"""The Baselines component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.baselines.config import BaselinesConfig
from components.baselines.executor import FITTING_PROCESS, Executor
from janus_core.fingerprint import node_fingerprint


class BaselinesSpec(ComponentSpec):
    """Inputs, output and parameters."""

    PARAMETERS = {"config": ExecutionParameter(type=str), "code": ExecutionParameter(type=str)}
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {"predictions": ChannelParameter(type=standard_artifacts.InferenceResult)}


class Baselines(base_component.BaseComponent):
    """Fits simple models to each task, on the network's own inputs and labels, and predicts the eval split.

    Output `predictions` holds the predictions for the labelled rows, and how each fitting ended
    (`components.baselines.result`). A model that cannot be fitted, or not in time, is a problem in the result; the
    component succeeds.
    """

    SPEC_CLASS = BaselinesSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, examples: BaseChannel, transform_graph: BaseChannel, config: BaselinesConfig):
        """Describes the component, of transformed tf.Examples with the splits train and eval.

        Of several spans, the first is evaluated.
        """
        spec = BaselinesSpec(
            examples=examples,
            transform_graph=transform_graph,
            predictions=Channel(type=standard_artifacts.InferenceResult),
            config=config.model_dump_json(),
            code=node_fingerprint(type(self), FITTING_PROCESS),
        )
        super().__init__(spec=spec)
