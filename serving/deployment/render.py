"""All files of a deployment, from what is deployed."""

from serving.deployment.compose import compose_project
from serving.deployment.config_files import config_files
from serving.deployment.files import sealed
from serving.deployment.kubernetes import kubernetes_objects
from serving.deployment.readme import readme
from serving.deployment.server import CANARY_MODELS_CONFIG, Server
from serving.deployment.yaml_text import to_yaml

COMPOSE = "docker-compose.yml"
KUBERNETES = "kubernetes.yaml"


def render(server: Server, model_folder: str) -> dict[str, str | None]:
    """File name → content, None for a file that this deployment does not have; deterministic.

    Args:
        server: the server to deploy.
        model_folder: the folder of versions, absolute or relative to where the files will be; not used for a URL.
    """
    configs = config_files(server)
    contents = {
        **configs,
        COMPOSE: to_yaml([compose_project(server, model_folder)]),
        KUBERNETES: to_yaml(kubernetes_objects(server, configs)),
        "README.md": readme(server, model_folder),
    }
    return {CANARY_MODELS_CONFIG: None} | {name: sealed(name, content) for name, content in contents.items()}
