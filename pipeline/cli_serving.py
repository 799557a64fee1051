"""Commands around pushed models."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import environment
from pipeline.cli_common import ConfigFile, Overrides, Verbose, end_with, errors_told


def serve(
    config: ConfigFile,
    rest_port: Annotated[int, typer.Option("--rest-port", min=0, max=65535, help="0 picks a free one.")] = 8501,
    grpc_port: Annotated[int, typer.Option("--grpc-port", min=0, max=65535, help="0 picks a free one.")] = 8500,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    local: Annotated[bool, typer.Option("--local", help="The development server in any case.")] = False,
    labels: Annotated[list[str] | None, typer.Option("--labels", metavar="LABEL=VERSION", help="Repeatable.")] = None,
    log_requests: Annotated[
        Path | None, typer.Option("--log-requests", metavar="FILE", help="Log a sample of requests and answers.")
    ] = None,
    sampling: Annotated[float, typer.Option("--sampling", help="The share of requests in the log.")] = 0.01,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Serve the pushed model over REST and gRPC: by TensorFlow Serving, or by a development server."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.serve_job import ServeOptions, run_serve_job

        options = ServeOptions(rest_port, grpc_port, host, local, tuple(labels or ()), log_requests, sampling)
        end_with(run_serve_job(load_config(config, overrides or []), options, verbose))


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
) -> None:
    """Predict every task for the rows of files, by a server or by a model in a folder."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.predict.job import run_predict_job
        from pipeline.predict.options import PredictOptions

        options = PredictOptions(
            input=rows,
            output=output,
            url=url,
            model=model,
            name=name,
            version=version,
            label=label,
            batch_size=batch_size,
            deadline_seconds=deadline,
            retries=retries,
            concurrency=concurrency,
            beam=beam,
            force=force,
            only_predictions=only_predictions,
            prefix=prefix,
        )
        end_with(run_predict_job(load_config(config, overrides or []), options, verbose))


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
) -> None:
    """Compare served requests with the training data, and served predictions with those of the eval split.

    Exit code 3 past a threshold: those of the schema's skew_comparators, and of the options.
    """
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.skew.job import SkewOptions, run_skew_job

        options = SkewOptions(logged, threshold, prediction_threshold, min_rows, as_json)
        end_with(run_skew_job(load_config(config, overrides or []), options, verbose))


def versions(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """List the pushed versions: which is served, which was withdrawn, what each came from."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.versions_job import run_versions_job

        loaded = load_config(config, overrides or [])
        end_with(run_versions_job(loaded, as_json, loaded.serving.deployment.labels.versions()))


def rollback(
    config: ConfigFile,
    to: Annotated[
        int | None, typer.Option("--to", metavar="VERSION", help="The version to go back to; default: the one before.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Is recorded with the rollback.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also to a version that was withdrawn itself.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Serve an older version again: publish a copy of it as the newest, and withdraw the model that was served.

    Runs do not push a withdrawn model again, and judge new ones against the model that is served.
    """
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.versions_job import run_rollback_job

        loaded = load_config(config, overrides or [])
        labels = loaded.serving.deployment.labels.versions()
        end_with(run_rollback_job(loaded, to, reason, force, verbose, labels))


def deployment(
    config: ConfigFile,
    output: Annotated[
        Path, typer.Option("--output", metavar="FOLDER", help="Where the files go, or are looked for.")
    ] = Path("deploy/serving"),
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 2 if the files are not what they should be.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that were edited by hand.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Write what TensorFlow Serving needs: its configuration files, Docker Compose, Kubernetes' manifest."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.deployment_job import run_deployment_job

        loaded = load_config(config, overrides or [])
        end_with(run_deployment_job(loaded, loaded.serving.deployment, output, check, force))


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(serve)
    app.command()(predict)
    app.command()(skew)
    app.command()(versions)
    app.command()(rollback)
    app.command()(deployment)
