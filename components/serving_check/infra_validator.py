"""TFX's InfraValidator in place of the check: it tests the model in TF Serving itself."""

import math
from typing import Any, Literal

from tfx.components import InfraValidator
from tfx.components.infra_validator import executor as stock
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import infra_validator_pb2 as pb
from tfx.types import BaseChannel, artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import path_utils

from components.artifacts import Artifacts
from components.pusher.checked import record_checked
from components.pusher.storage import source_of
from components.serving_check.executor import BLESSED, HAS_MODEL
from serving.signatures import EXAMPLES


class Executor(stock.Executor):
    """TFX's executor, whose blessing also records which files may be pushed."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX."""
        artifact = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
        model = path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact))
        checked = source_of(model).manifest()
        super().Do(input_dict, output_dict, exec_properties)
        blessing = artifact_utils.get_single_instance(output_dict[specs.BLESSING_KEY])
        if blessing.get_int_custom_property(BLESSED):
            stamped = blessing.get_int_custom_property(HAS_MODEL)
            record_checked(blessing, checked, path_utils.stamped_model_path(blessing.uri) if stamped else model)


class RecordingInfraValidator(InfraValidator):
    """TFX's InfraValidator with this executor."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def infra_validator(
    model: BaseChannel,
    examples: BaseChannel,
    kind: Literal["docker", "kubernetes"],
    image_tag: str,
    rows: int = 8,
    time_limit_seconds: float = 300,
    image: str = "tensorflow/serving",
    warmup: bool = True,
) -> BaseNode:
    """Starts tensorflow/serving with the model and sends it real rows of the eval split.

    Its output `blessing` is used as that of ServingCheck, the model with warm-up requests included; there is no
    `check.json`. docker needs a Docker daemon on the machine that runs the pipeline. kubernetes works only inside
    Kubeflow Pipelines: InfraValidator starts its pods with the service account and in the namespace of its own pod,
    and the model must be on a volume or a file system that those can read.

    Args:
        model: the Trainer's.
        examples: raw tf.Examples with a split named eval.
        kind: what runs the image.
        image_tag: of the image, or its sha256 digest.
        rows: how many are sent; 0: one is sent. Without warm-up requests, the blessing holds no model.
        time_limit_seconds: until the model must be loaded.
        image: without its tag; must start as tensorflow/serving does.
        warmup: whether the rows become warm-up requests, and so part of the model.
    """
    places = {"digests" if image_tag.startswith("sha256:") else "tags": [image_tag]}
    serving_spec = pb.ServingSpec(tensorflow_serving=pb.TensorFlowServing(image_name=image, **places))
    if kind == "docker":
        serving_spec.local_docker.SetInParent()
    else:
        serving_spec.kubernetes.SetInParent()
    return RecordingInfraValidator(
        model=model,
        examples=examples,
        serving_spec=serving_spec,
        validation_spec=pb.ValidationSpec(max_loading_time_seconds=math.ceil(time_limit_seconds), num_tries=2),
        request_spec=pb.RequestSpec(
            # InfraValidator makes requests of serialized examples only, so that serving_columns cannot be tried.
            tensorflow_serving=pb.TensorFlowServingRequestSpec(signature_names=[EXAMPLES]),
            split_name="eval",
            num_examples=max(rows, 1),
            make_warmup=warmup and rows > 0,
        ),
    )
