"""The options of `janus skew`."""

from dataclasses import dataclass
from typing import Annotated

import typer


@dataclass(frozen=True)
class SkewOptions:
    """What is compared, and what counts as skewed."""

    logged: Annotated[
        str, typer.Option("--logged", metavar="PATH", help="TFRecords of TF Serving's PredictionLog: a file or glob.")
    ]
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Of columns for which the schema has no skew_comparator.")
    ] = None
    prediction_threshold: Annotated[
        float | None, typer.Option("--prediction-threshold", help="Of every task's predictions.")
    ] = None
    min_rows: Annotated[int, typer.Option("--min-rows", metavar="N", min=1, help="Refuse a log with fewer.")] = 100
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False
