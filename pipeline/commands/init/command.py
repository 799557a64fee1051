"""The command line of `janus init`."""

import csv
from typing import Annotated

import typer

from pipeline.commands.common import Verbose, command


@command
def init(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="CSV or Parquet: a file, folder or glob.")],
    targets: Annotated[
        str, typer.Option("--targets", metavar="A,B", help="The columns to predict; one with a comma in double quotes.")
    ],
    name: Annotated[str | None, typer.Option("--name", metavar="N", help="Default: after the table.")] = None,
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=20, help="Rows that are sampled at most.")] = 100_000,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a configuration or schema of this name.")] = False,
    interactive: Annotated[bool, typer.Option("--interactive", help="Ask about guesses before writing.")] = False,
    verbose: Verbose = False,
) -> int:
    """Guess a configuration and a schema from a table: configs/N.yaml and schema/N.pbtxt, ready for `janus run`."""
    from pipeline.commands.init.job import InitOptions, run_init_job

    return run_init_job(InitOptions(table, _listed(targets), name, rows, force, interactive))


def _listed(targets: str) -> tuple[str, ...]:
    """The columns' names: one line of CSV."""
    cells = next(csv.reader([targets], skipinitialspace=True), [])
    return tuple(cell.strip() for cell in cells if cell.strip())
