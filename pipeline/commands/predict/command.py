"""The command line of `janus predict`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def predict(
    config: ConfigFile,
    rows: Annotated[
        str,
        typer.Option("--input", metavar="PATH", help="CSV, Parquet, JSON lines or TFRecord: a file, folder or glob."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PATH", help="A .parquet or .csv file; with --beam a folder.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="A server: grpc://, grpcs://, http:// or https:// host:port.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="FOLDER", help="A model without a server; default: the newest push."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the model on the server; default: CONFIG's.")] = None,
    version: Annotated[int | None, typer.Option("--version", help="On the server; default: the newest.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="On the server, instead of a version.")] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", metavar="N", help="Rows of a request.")] = 1024,
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help="Of a request, retries included.")
    ] = 10,
    retries: Annotated[int, typer.Option("--retries", metavar="N", help="Attempts after the first.")] = 4,
    concurrency: Annotated[int, typer.Option("--concurrency", metavar="N", help="Requests under way at a time.")] = 4,
    beam: Annotated[bool, typer.Option("--beam", help="Divide the work by Beam, run with beam.args.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the output.")] = False,
    only_predictions: Annotated[
        bool, typer.Option("--only-predictions", help="Leave the input's columns out of the output.")
    ] = False,
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            help="Before the tasks' names in the output's columns; default: predicted_ where the input has such names.",
        ),
    ] = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Predict every task for the rows of files, by a server or by a model in a folder."""
    from pipeline.commands.predict.job import run_predict_job
    from pipeline.commands.predict.options import PredictOptions

    server = (url, model, name, version, label, batch_size, deadline, retries, concurrency)
    options = PredictOptions(rows, output, *server, beam, force, only_predictions, prefix)
    return run_predict_job(load(config, overrides), options, verbose)
