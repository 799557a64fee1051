"""A TensorFlow Serving, and the flags by which all deployments start it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from serving.deployment.config import DNS_LABEL, STOCK_IMAGE, DeploymentConfig

PROGRAM = "tensorflow_model_server"
BINARY = f"/usr/bin/{PROGRAM}"
"""The program in the stock image, whose entry point would add flags, among them fixed ports."""

CONFIG_FOLDER = "/etc/tensorflow-serving"
TLS_FOLDER = "/etc/tensorflow-serving-tls"
"""Where a secret with `TLS_CONFIG` is mounted on Kubernetes."""
TLS_CONFIG = "ssl.config"
MODELS_CONFIG = "models.config"
CANARY_MODELS_CONFIG = "models-canary.config"
BATCHING_CONFIG = "batching.config"
MONITORING_CONFIG = "monitoring.config"

# A version that cannot be loaded is tried six times. By default these attempts are a minute apart and block the only
# thread that loads versions, so that a rollback would wait five minutes for them.
LOADING = {"num_load_threads": 2, "load_retry_interval_micros": 10_000_000}
"""The flags for loading versions."""

_STOCK_SCHEMES = ("gs",)
"""The filesystems that the stock server supports, apart from the local one."""


@dataclass(frozen=True)
class Server:
    """The server to deploy.

    Attributes:
        model: the model's name in requests, which is the pipeline's.
        push_path: the folder of its versions, a path or a URL.
    """

    model: str
    push_path: str
    tag: str
    config: DeploymentConfig

    @property
    def image(self) -> str:
        """The image with its tag or digest."""
        return image_reference(self.config.image, self.tag)

    @property
    def is_remote(self) -> bool:
        """Whether the server reads the versions from an object store, without a volume."""
        return "://" in self.push_path

    @property
    def base_path(self) -> str:
        """The folder of versions, as the server sees it."""
        return self.push_path.rstrip("/") if self.is_remote else f"/models/{self.model}"

    @property
    def resource(self) -> str:
        """The model's name in lower-case letters, digits and hyphens."""
        return re.sub(r"-+", "-", self.model.lower().replace("_", "-")).strip("-")

    @property
    def name(self) -> str:
        """The name of containers and Kubernetes objects."""
        return f"{self.resource}-serving"

    @property
    def has_canary(self) -> bool:
        """Whether the canary version has separate servers."""
        return self.config.canary_replicas > 0


def server_of(model: str, push_path: str, config: DeploymentConfig, tensorflow: str) -> Server:
    """The server that the configuration describes; its image follows the version of TensorFlow that trained the model.

    `push_path` is TF Serving's base path of the model, a path or a URL. A tag in the configuration takes precedence.

    Raises:
        ValueError: the server could not read the path, or Kubernetes would not accept the name.
    """
    server = Server(model, push_path, config.tag or serving_release(tensorflow), config)
    if not DNS_LABEL.fullmatch(f"{server.name}-canary"):
        raise ValueError(f"'{model}' makes no name that Kubernetes accepts: at most 48 letters, digits and _")
    scheme = push_path.partition("://")[0]
    if server.is_remote and config.image == STOCK_IMAGE and scheme not in _STOCK_SCHEMES:
        raise ValueError(
            f"push.path '{push_path}': the image {STOCK_IMAGE} reads folders and gs:// only, no {scheme}://; "
            "copy the versions to a volume, or give serving.deployment.image one that is built with it"
        )
    return server


def arguments(server: Server, models_config: str = MODELS_CONFIG, tls: bool = False) -> list[str]:
    """The flags of tensorflow_model_server; with `tls`, gRPC is encrypted as the mounted secret says."""
    config = server.config

    flags: dict[str, str | int] = {
        "port": config.grpc_port,
        "rest_api_port": config.rest_port,
        "model_config_file": f"{CONFIG_FOLDER}/{models_config}",
        "monitoring_config_file": f"{CONFIG_FOLDER}/{MONITORING_CONFIG}",
        "file_system_poll_wait_seconds": config.version_poll_seconds,
        **LOADING,
        # By default there are as many threads as the host has cores, even if the container may use fewer.
        "tensorflow_intra_op_parallelism": config.cores,
        "tensorflow_inter_op_parallelism": config.cores,
        "enable_grpc_healthcheck_service": "true",
        # On by default, and accessible to everyone who reaches the port.
        "enable_profiler": "false",
    }
    if config.grpc_max_connection_age_seconds:
        flags["grpc_channel_arguments"] = f"grpc.max_connection_age_ms={1000 * config.grpc_max_connection_age_seconds}"
    if config.labels.versions():
        # The server reads the labels before it loads the versions, and would otherwise refuse them.
        flags["allow_version_labels_for_unavailable_models"] = "true"
    if tls:
        flags["ssl_config_file"] = f"{TLS_FOLDER}/{TLS_CONFIG}"
    if config.batching.enabled:
        flags["enable_batching"] = "true"
        # The server refuses this flag without the other.
        flags["batching_parameters_file"] = f"{CONFIG_FOLDER}/{BATCHING_CONFIG}"
    return _words(flags)


def plain_arguments(model: str, base_path: str, rest_port: int, grpc_port: int) -> list[str]:
    """The flags of tensorflow_model_server for the newest version of one model, without configuration files."""
    return _words(
        {"port": grpc_port, "rest_api_port": rest_port, "model_name": model, "model_base_path": base_path, **LOADING}
    )


def _words(flags: Mapping[str, str | int]) -> list[str]:
    return [f"--{flag}={value}" for flag, value in flags.items()]


RELEASES = ("2.16.1", "2.17.0", "2.17.1", "2.18.0", "2.18.1", "2.19.0", "2.19.1", "2.20.0", "2.21.0")
"""TensorFlow Serving's releases, oldest first: those of tensorflow-serving-api on PyPI, which are the image's tags."""


def serving_release(tensorflow: str) -> str:
    """The release of TensorFlow Serving, and so the image's tag, for a version of TensorFlow.

    The minor releases of both have the same numbers, but not their patches. Therefore it is the last patch of the same
    minor release, or else of the next one. Beyond the table it is the newest release, and `release_warning` warns.

    Raises:
        ValueError: it is no version.
    """
    wanted = _minor(tensorflow)
    if wanted is None:
        raise ValueError(f"'{tensorflow}' is no version of TensorFlow")
    minors = {minor: release for release in RELEASES if (minor := _minor(release))}
    return next((release for minor, release in minors.items() if minor >= wanted), RELEASES[-1])


def release_warning(tag: str, tensorflow: str | None) -> str | None:
    """A warning about an image's tag, if there is reason for one; tags that are no release number are not checked.

    `tensorflow` is the version that trained the model, if it is known.
    """
    release, trained = re.match(r"\d+\.\d+\.\d+", tag), _minor(tensorflow or "")
    if release is None:
        return None
    if trained and (_minor(tag) or trained) < trained:
        return (
            f"TensorFlow Serving {release[0]} is older than TensorFlow {tensorflow}, which trained the model, and may "
            f"not know all its operations; the newest release known here is {RELEASES[-1]}, serving.deployment.tag "
            "selects another"
        )
    if release[0] not in RELEASES:
        return f"no release {release[0]} of TensorFlow Serving is known here; known are {', '.join(RELEASES)}"
    return None


def image_reference(image: str, tag: str) -> str:
    """An image with its tag or digest."""
    return f"{image}{'@' if tag.startswith('sha256:') else ':'}{tag}"


def _minor(version: str) -> tuple[int, int] | None:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else None
