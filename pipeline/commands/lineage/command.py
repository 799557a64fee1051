"""The command line of `janus lineage`, which changes nothing."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from janus_core.errors import ConfigError
from pipeline.commands.common import Overrides, Verbose, command, load


class LineageFormat(StrEnum):
    """How a lineage is printed."""

    TREE = "tree"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"


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

    Example:

        janus lineage models/orders/3 --format mermaid
    """
    if as_json and shown_as not in (None, LineageFormat.JSON):
        raise ConfigError(f"--json and --format {shown_as} exclude each other: give one of them")
    chosen = LineageFormat.JSON if as_json else shown_as or LineageFormat.TREE
    return print_lineage(source, version, chosen, overrides or [])


def print_lineage(
    source: str, version: str | None = None, shown_as: LineageFormat = LineageFormat.TREE, overrides: Sequence[str] = ()
) -> int:
    """Prints what a version was made of, and returns the exit code.

    Raises:
        ConfigError: there is no such version, or ML Metadata does not know it.
        JanusError: the metadata database, or the record of rollbacks, cannot be read.
    """
    from pipeline.commands.lineage.formats import lineage_dot, lineage_mermaid, lineage_tree
    from pipeline.commands.lineage.version_lineage import (
        is_version_path,
        read_lineage,
        target_of_config,
        target_of_path,
    )
    from pipeline.commands.output import print_result

    if is_version_path(source):
        if version is not None or overrides:
            raise ConfigError(f"{source} is a version itself: neither another version nor --set goes with it")
        target = target_of_path(source)
    else:
        target = target_of_config(load(Path(source), list(overrides)), version)
    lineage = read_lineage(target)
    if shown_as in (LineageFormat.TREE, LineageFormat.JSON):
        return print_result(lineage, shown_as is LineageFormat.JSON, lineage_tree)
    print({LineageFormat.DOT: lineage_dot, LineageFormat.MERMAID: lineage_mermaid}[shown_as](lineage), end="")
    return 0
