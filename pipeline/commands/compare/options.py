"""The options of `janus compare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class CompareOptions:
    """What is compared with the configuration's own model, and how."""

    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Repetitions of each training.")] = 3
    trunks: Annotated[
        str | None, typer.Option("--trunks", metavar="A,B|all", help="Kinds of trunk to try; default: the config's.")
    ] = None
    balancings: Annotated[
        str | None, typer.Option("--balancings", metavar="A,B|all", help="Kinds of balancing to try, with each trunk.")
    ] = None
    confidence: Annotated[float, typer.Option("--confidence", help="Of the intervals that verdicts rest on.")] = 0.95
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", min=1, help="Instead of the configuration's.")
    ] = None
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FOLDER", help="Where the result goes; default: runs/<name>/compare/<time>."),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to stderr.")] = False
