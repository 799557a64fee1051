"""The command line of `janus skew`."""

from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def skew(
    config: ConfigFile,
    logged: Annotated[
        str, typer.Option("--logged", metavar="PATH", help="TFRecords of TF Serving's PredictionLog: a file or glob.")
    ],
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Of columns for which the schema has no skew_comparator.")
    ] = None,
    prediction_threshold: Annotated[
        float | None, typer.Option("--prediction-threshold", help="Of every task's predictions.")
    ] = None,
    min_rows: Annotated[int, typer.Option("--min-rows", metavar="N", min=1, help="Refuse a log with fewer.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Compare served requests with the training data, and served predictions with those of the eval split.

    Exit code 3 past a threshold: those of the schema's skew_comparators, and of the options.
    """
    from pipeline.commands.skew.job import SkewOptions, run_skew_job

    options = SkewOptions(logged, threshold, prediction_threshold, min_rows, as_json)
    return run_skew_job(load(config, overrides), options, verbose)
