"""All files of a deployment, from what is deployed."""

import hashlib
from collections.abc import Mapping
from typing import Any

from google.protobuf import text_encoding

from janus_core.templates import templates_of
from serving.deployment.files import sealed
from serving.deployment.server import (
    BATCHING_CONFIG,
    BINARY,
    CANARY_MODELS_CONFIG,
    CONFIG_FOLDER,
    MODELS_CONFIG,
    MONITORING_CONFIG,
    Server,
    arguments,
)

COMPOSE = "docker-compose.yml"
KUBERNETES = "kubernetes.yaml"


def render(server: Server, model_folder: str) -> dict[str, str | None]:
    """File name → content, None for a file that this deployment does not have; deterministic.

    Args:
        server: the server to deploy.
        model_folder: the folder of versions, absolute or relative to where the files will be; not used for a URL.
    """
    config, configs = server.config, config_files(server)
    deployments = [("stable", MODELS_CONFIG, config.replicas)]
    if server.has_canary:
        deployments.append(("canary", CANARY_MODELS_CONFIG, config.canary_replicas))
    values = {
        "model_folder": model_folder,
        "claim": config.model_volume_claim or f"{server.resource}-models",
        "binary": BINARY,
        "arguments": arguments(server),
        "arguments_of": arguments,
        "config_folder": CONFIG_FOLDER,
        "mounted": [
            (f"./{name}", f"{CONFIG_FOLDER}/{name}") for name in (MODELS_CONFIG, BATCHING_CONFIG, MONITORING_CONFIG)
        ],
        "configs": configs,
        "checksum": content_hash(configs),
        "deployments": deployments,
    }
    contents = configs | {name: _filled(name, server, **values) for name in (COMPOSE, KUBERNETES, "README.md")}
    return {CANARY_MODELS_CONFIG: None} | {name: sealed(name, content) for name, content in contents.items()}


def config_files(server: Server) -> dict[str, str]:
    """TensorFlow Serving's own configuration files, which are text protos: file name → content."""
    labels = server.config.labels.versions()
    files = {
        MODELS_CONFIG: _models(server, {"stable": labels["stable"]} if server.has_canary else labels),
        BATCHING_CONFIG: _filled(BATCHING_CONFIG, server),
        MONITORING_CONFIG: _filled(MONITORING_CONFIG, server),
    }
    return files | ({CANARY_MODELS_CONFIG: _models(server, {"canary": labels["canary"]})} if server.has_canary else {})


def content_hash(files: Mapping[str, str]) -> str:
    """SHA-256 of all files, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content.encode())}\0{content}".encode())
    return digest.hexdigest()


def _models(server: Server, labels: Mapping[str, int]) -> str:
    base_path = text_encoding.CEscape(server.base_path.encode(), as_utf8=False)
    return _filled(MODELS_CONFIG, server, labels=labels, base_path=base_path)


def _filled(name: str, server: Server, **values: Any) -> str:
    template = templates_of("serving.deployment").get_template(f"{name}.j2")
    return template.render(server=server, config=server.config, **values)
