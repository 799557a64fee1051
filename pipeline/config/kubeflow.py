"""The `kubeflow` section of the configuration: where and how the pipeline's steps run."""

import difflib
import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from janus_core.strict import Count, Number, StrictModel

STEPS = (
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "AnomalyGate",
    "WindowResolver",
    "Transform",
    "Baselines",
    "WarmStartResolver",
    "Tuner",
    "Trainer",
    "Resolver",
    "Evaluator",
    "ServingCheck",
    "Pusher",
)
"""The nodes that a pipeline may have, each of which is a step."""
REPORT_STEP = "report"
"""The step after all nodes."""

URL = re.compile(r"^[a-z][a-z0-9+.-]*://")
KFP_ONLY_ROOTS = ("minio://", "ml-pipeline://", "kfp://")
"""Schemes that only Kubeflow's launcher can resolve."""

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?$")]
"""A Kubernetes quantity, such as 500m, 2 or 8Gi."""


class Accelerator(StrictModel):
    """Accelerators of a step."""

    type: str = Field(description="The resource's name, such as nvidia.com/gpu.")
    count: Count = Field(1, description="The number of accelerators.")


class Toleration(StrictModel):
    """A taint that the pods tolerate."""

    key: str | None = Field(
        None, description="The taint's key. Without it, and with operator Exists, all taints are tolerated."
    )
    operator: str = Field("Equal", description="Equal, or Exists, which matches any value.")
    value: str | None = Field(None, description="The taint's value.")
    effect: str | None = Field(None, description="NoSchedule, PreferNoSchedule or NoExecute. By default, any effect.")


class StepConfig(StrictModel):
    """The resources, limits and placement of a step. A key that is not given is taken from `default`."""

    cpu: Quantity | None = Field(None, description="The CPU that is requested, which is also the limit.")
    memory: Quantity | None = Field(None, description="The memory that is requested, which is also the limit.")
    accelerator: Accelerator | None = Field(
        None, description="The accelerators of the step, such as the Trainer's GPUs."
    )
    timeout_seconds: Count | None = Field(None, description="Seconds after which an attempt's pod is stopped.")
    retries: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How often a step is tried again after a failure that may be temporary."
    )
    node_selector: dict[str, str] | None = Field(
        None,
        description="Labels of the nodes that the step's pods may run on, beside those of `kubeflow.node_selector`.",
    )
    tolerations: list[Toleration] | None = Field(
        None, description="Taints that the step's pods tolerate, beside those of `kubeflow.tolerations`."
    )
    annotations: dict[str, str] | None = Field(
        None, description="Annotations of the step's pods, beside those of `kubeflow.annotations`."
    )


class Volume(StrictModel):
    """A persistent volume claim, mounted into every step."""

    claim: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")] = Field(
        description="The claim's name, which is also used for the volume: at most 63 characters, no dots."
    )
    path: str = Field(description="The path at which it is mounted.")


class Secret(StrictModel):
    """A key of a Kubernetes secret that becomes an environment variable."""

    name: str = Field(description="The secret's name.")
    key: str = Field(description="The key in the secret.")
    env: str = Field(description="The variable's name, such as JANUS_MLMD_PASSWORD.")


class KubeflowConfig(StrictModel):
    """Where and how the steps run. All paths are paths in the containers, and the same in all steps."""

    image: str = Field(description="The image that `make image` builds, with its tag or digest.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None,
        description="When nodes pull the image. By default, always for the tag latest, and otherwise if it is not "
        "present.",
    )
    image_pull_secrets: list[str] = Field([], description="Kubernetes secrets with the image registry's credentials.")
    pipeline_root: str = Field(
        description="TFX's pipeline root: a folder of a mounted volume, or a URL such as gs://bucket/folder."
    )
    metadata: str = Field(
        description="ML Metadata's address: mysql://user@host:port/database, grpc://host:port, or sqlite:///path. "
        "With ?tls=true at its end, the connection is encrypted. The certificate of a gRPC server is verified, by the "
        "authority in the file that the variable JANUS_MLMD_CA names; ML Metadata's client verifies none of MySQL. "
        "The password is read from the variable JANUS_MLMD_PASSWORD (see `secrets`)."
    )
    data_path: str | None = Field(None, description="The data's path in the cluster, in place of data.path.")
    push_path: str | None = Field(
        None, description="The path that models are pushed to in the cluster, in place of push.path."
    )
    bundle: str = Field(
        "/janus/bundle", description="The folder in the image or on a volume with the bundle that `compile` wrote."
    )
    bundle_config_map: str | None = Field(
        None, description="A ConfigMap with the bundle's files, which is mounted at `bundle`."
    )
    experiment: str = Field("janus", description="The Kubeflow experiment that runs belong to.")
    namespace: str | None = Field(None, description="The namespace, on a multi-user installation.")
    service_account: str | None = Field(None, description="The service account of the pods.")
    cron: str | None = Field(None, description="When `janus kubeflow schedule` starts runs, unless `--cron` is given.")
    steps: dict[str, StepConfig] = Field(
        {}, description="Settings by step: `default`, the names of nodes such as Trainer, and `report`, the last step."
    )
    parameters: list[str] = Field(
        [],
        description="Keys of this configuration that a run may set, such as training.learning_rate: inputs of the "
        "compiled pipeline, beside data_path, span and epochs.",
    )
    retry_backoff_seconds: Number = Field(
        30, description="Seconds before the first retry, doubled for each further one."
    )
    node_selector: dict[str, str] = Field({}, description="Labels of the nodes that all pods may run on.")
    tolerations: list[Toleration] = Field([], description="Taints that all pods tolerate.")
    annotations: dict[str, str] = Field({}, description="Annotations of all pods.")
    env: dict[str, str] = Field({}, description="Environment variables of every step, which must not be secret.")
    secrets: list[Secret] = Field([], description="Environment variables that are read from Kubernetes secrets.")
    volumes: list[Volume] = Field([], description="Persistent volume claims, mounted into every step.")

    @field_validator("pipeline_root")
    @classmethod
    def _root_is_readable(cls, root: str) -> str:
        if root.startswith(KFP_ONLY_ROOTS):
            raise ValueError(
                f"'{root}' is an address that only Kubeflow's own launcher can read; TFX's components need a folder of "
                "a mounted volume, or gs://"
            )
        return absolute(root)

    @field_validator("data_path", "push_path", "bundle")
    @classmethod
    def _is_absolute(cls, path: str | None) -> str | None:
        return None if path is None else absolute(path)

    @field_validator("metadata")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if not re.match(r"^(mysql|grpc|sqlite)://", url):
            raise ValueError(f"'{url}' is none of mysql://user@host:port/database, grpc://host:port, sqlite:///path")
        return url

    @field_validator("steps")
    @classmethod
    def _steps_exist(cls, steps: dict[str, StepConfig]) -> dict[str, StepConfig]:
        known = ("default", *STEPS, REPORT_STEP)
        for name in steps:
            if name not in known:
                near = difflib.get_close_matches(name.lower(), [step.lower() for step in known], n=1)
                hint = next((f" Did you mean '{step}'?" for step in known if step.lower() in near), "")
                raise ValueError(f"there is no step '{name}'.{hint} Steps are {', '.join(known)}")
        return steps

    @model_validator(mode="after")
    def _volumes_hold_the_paths(self) -> "KubeflowConfig":
        mounts = [volume.path.rstrip("/") + "/" for volume in self.volumes]
        for key in ("pipeline_root", "data_path", "push_path"):
            path = getattr(self, key)
            if path and not URL.match(path) and not any(f"{path}/".startswith(mount) for mount in mounts):
                raise ValueError(
                    f"{key} '{path}' is in no mounted volume, so that no other step would see it; mounted are: "
                    f"{', '.join(mounts) or 'none'}"
                )
        return self

    @model_validator(mode="after")
    def _volumes_have_names_of_their_own(self) -> "KubeflowConfig":
        names = [volume.claim for volume in self.volumes] + [self.bundle_config_map or ""]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise ValueError(
                f"'{twice[0]}' names two of volumes and bundle_config_map, but a pod's volumes are named after them: "
                "name them differently"
            )
        return self

    def step(self, node: str) -> StepConfig:
        """A node's settings: its own where it has one, else the default's."""
        default, own = (self.steps.get(key, StepConfig()) for key in ("default", node))
        return StepConfig(**{**default.model_dump(exclude_none=True), **own.model_dump(exclude_none=True)})


def absolute(path: str) -> str:
    """The path, if it is a URL or absolute.

    Raises:
        ValueError: it is neither.
    """
    if not (URL.match(path) or path.startswith("/")):
        raise ValueError(
            f"'{path}' is relative; in a container only an absolute path or a URL means the same everywhere"
        )
    return path.rstrip("/")
