"""The command line of `janus lineage`."""

from typing import Annotated

import typer

from pipeline.commands.common import Overrides, Verbose, command
from pipeline.commands.lineage.lineage_format import LineageFormat


@command
def lineage(
    source: Annotated[
        str, typer.Argument(metavar="CONFIG|PATH", help="The pipeline's configuration, or a pushed version's path.")
    ],
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="With CONFIG: its number; default: the served version.")
    ] = None,
    shown_as: Annotated[
        LineageFormat | None, typer.Option("--format", help="Default: tree. `dot` is Graphviz'.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Show what a pushed version was made of, by ML Metadata: data, schema, code, hyperparameters, evaluation, push.

    A copy that a rollback made leads to the version that was once pushed.
    """
    from janus_core.errors import ConfigError
    from pipeline.commands.lineage.job import run_lineage_job

    if as_json and shown_as not in (None, LineageFormat.JSON):
        raise ConfigError(f"--json and --format {shown_as} exclude each other: give one of them")
    chosen = LineageFormat.JSON if as_json else shown_as or LineageFormat.TREE
    return run_lineage_job(source, version, chosen, overrides or [])
