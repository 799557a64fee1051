"""A deployment's files, parsed."""

from dataclasses import dataclass
from typing import Any

import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.deployment.config import DeploymentConfig
from serving.deployment.render import render
from serving.deployment.server import server_of
from tests.serving.deployment.protos import BatchingParameters, MonitoringConfig

FOLDER = "../../models/flights"


@dataclass(frozen=True)
class Rendered:
    """What `render` gave.

    Attributes:
        files: name → content, of those that there are.
        removed: the names of those that must not be there.
    """

    files: dict[str, str]
    removed: set[str]

    def models(self, name: str = "models.config") -> Any:
        """The one model's ModelConfig."""
        config = text_format.Parse(self.files[name], model_server_config_pb2.ModelServerConfig())
        (model,) = config.model_config_list.config
        return model

    @property
    def batching(self) -> Any:
        return text_format.Parse(self.files["batching.config"], BatchingParameters())

    @property
    def monitoring(self) -> Any:
        return text_format.Parse(self.files["monitoring.config"], MonitoringConfig()).prometheus_config

    @property
    def service(self) -> dict[str, Any]:
        """Compose's one service."""
        (service,) = yaml.safe_load(self.files["docker-compose.yml"])["services"].values()
        return service

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Kubernetes' objects."""
        return list(yaml.safe_load_all(self.files["kubernetes.yaml"]))

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [found for found in self.objects if found["kind"] == kind]

    def pods(self) -> list[dict[str, Any]]:
        """The pods' specs, by Deployment."""
        return [found["spec"]["template"]["spec"] for found in self.of_kind("Deployment")]


def rendered(
    config: DeploymentConfig | None = None,
    model: str = "flights",
    push_path: str = "models/flights",
    tensorflow: str = "2.16.2",
    folder: str = FOLDER,
    **changed: Any,
) -> Rendered:
    """Renders a configuration, by default the default one with some keys changed."""
    config = config or DeploymentConfig.model_validate(changed)
    files = render(server_of(model, push_path, config, tensorflow), folder)
    return Rendered(
        {name: text for name, text in files.items() if text is not None},
        {name for name, text in files.items() if text is None},
    )


def flags(arguments: list[str]) -> dict[str, str]:
    """The flags of a command line, by name."""
    pairs = [argument.removeprefix("--").partition("=")[::2] for argument in arguments]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)
