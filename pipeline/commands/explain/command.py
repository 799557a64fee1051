"""The command lines of `janus explain` and `janus schema-of-config`."""

import sys
from typing import Annotated

import typer

from pipeline.commands.common import Verbose, command


@command
def explain(
    key: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="Such as model.trunk, or tasks.*.loss; none: the keys of the first level."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Print the reference of a key of the configuration: type, default, what is allowed, and the keys in it.

    Example:

        janus explain tasks.returned.loss
    """
    from pipeline.commands.explain.terminal import explanation, overview
    from pipeline.config import JanusConfig
    from pipeline.config.keys import find, keys_of
    from pipeline.run.display import console_on

    keys = keys_of(JanusConfig)
    console_on(sys.stdout).print(explanation(find(key, keys), keys) if key else overview(keys))


def schema_of_config() -> None:
    """Print the configuration's JSON Schema.

    Example:

        janus schema-of-config > janus.schema.json
    """
    from pipeline.config.file import config_json_schema

    typer.echo(config_json_schema())
