"""What a person needs to start the deployment."""

from importlib.resources import files

from serving.deployment.server import Server

TEMPLATE = "README.md.j2"


def readme(server: Server, model_folder: str) -> str:
    """Markdown."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    template = environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    claim = server.config.model_volume_claim or f"{server.resource}-models"
    return template.render(server=server, config=server.config, model_folder=model_folder, claim=claim)
