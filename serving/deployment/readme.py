"""The instructions for starting the deployment."""

from janus_core.templates import templates_of
from serving.deployment.server import Server


def readme(server: Server, model_folder: str) -> str:
    """Markdown."""
    template = templates_of("serving.deployment").get_template("README.md.j2")
    claim = server.config.model_volume_claim or f"{server.resource}-models"
    return template.render(server=server, config=server.config, model_folder=model_folder, claim=claim)
