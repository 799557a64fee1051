"""The options of `janus init`."""

import csv
from dataclasses import dataclass
from typing import Annotated

import typer


@dataclass(frozen=True)
class InitOptions:
    """What is guessed from, and what for."""

    table: Annotated[str, typer.Argument(metavar="TABLE", help="CSV or Parquet: a file, folder or glob.")]
    targets: Annotated[
        str, typer.Option("--targets", metavar="A,B", help="The columns to predict; one with a comma in double quotes.")
    ]
    name: Annotated[str | None, typer.Option("--name", metavar="N", help="Default: after the table.")] = None
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=20, help="Rows that are sampled at most.")] = 100_000
    force: Annotated[bool, typer.Option("--force", help="Overwrite a configuration or schema of this name.")] = False
    interactive: Annotated[bool, typer.Option("--interactive", help="Ask about guesses before writing.")] = False

    @property
    def columns(self) -> list[str]:
        """The targets, which are one line of CSV."""
        cells = next(csv.reader([self.targets], skipinitialspace=True), [])
        return [cell.strip() for cell in cells if cell.strip()]
