"""The options of `janus predict`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from janus_core.errors import ConfigError

SUFFIXES = (".parquet", ".csv")
"""Of the output's file."""


@dataclass(frozen=True)
class PredictOptions:
    """Where rows come from, where predictions go, and which model makes them.

    Without an output, it is `<input's name>.predictions…` in the working folder, since the input's may be one that
    trainings read.
    """

    input: Annotated[
        str,
        typer.Option("--input", metavar="PATH", help="CSV, Parquet, JSON lines or TFRecord: a file, folder or glob."),
    ]
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PATH", help="A .parquet or .csv file; with --beam a folder.")
    ] = None
    url: Annotated[
        str | None, typer.Option("--url", help="A server: grpc://, grpcs://, http:// or https:// host:port.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="FOLDER", help="A model without a server; default: the newest push."),
    ] = None
    name: Annotated[str | None, typer.Option("--name", help="Of the model on the server; default: CONFIG's.")] = None
    version: Annotated[int | None, typer.Option("--version", help="On the server; default: the newest.")] = None
    label: Annotated[str | None, typer.Option("--label", help="On the server, instead of a version.")] = None
    batch_size: Annotated[int, typer.Option("--batch-size", metavar="N", min=1, help="Rows of a request.")] = 1024
    deadline_seconds: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help="Of a request, retries included.")
    ] = 10
    retries: Annotated[int, typer.Option("--retries", metavar="N", min=0, help="Attempts after the first.")] = 4
    concurrency: Annotated[int, typer.Option("--concurrency", metavar="N", min=1, help="Requests at a time.")] = 4
    beam: Annotated[bool, typer.Option("--beam", help="Divide the work by Beam, run with beam.args.")] = False
    force: Annotated[bool, typer.Option("--force", help="Replace the output.")] = False
    only_predictions: Annotated[
        bool, typer.Option("--only-predictions", help="Leave the input's columns out of the output.")
    ] = False
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            help="Before the tasks' names in the output's columns; default: predicted_ where the input has such names.",
        ),
    ] = None

    def check(self) -> None:
        """Raises ConfigError for options that do not go together."""
        if self.url is not None and self.model is not None:
            raise ConfigError("give --url or --model, not both")
        served = [
            f"--{key}" for key in ("name", "version", "label") if self.url is None and getattr(self, key) is not None
        ]
        if served:
            raise ConfigError(f"{', '.join(served)} goes with --url: it says which of a server's models is meant")
        if self.version is not None and self.label is not None:
            raise ConfigError("give --version or --label, not both")
        if self.beam and self.url is not None:
            raise ConfigError("--beam loads the model in each worker, it asks no server: give --model, not --url")
        if self.deadline_seconds <= 0:
            raise ConfigError("--deadline must be above 0")

    @property
    def target(self) -> Path:
        """The output's file or folder.

        Raises:
            ConfigError: the file is neither Parquet nor CSV.
        """
        if self.output is None:
            stem = Path(self.input.rstrip("/*?")).name.partition(".")[0] or "rows"
            return Path(f"{stem}.predictions{'' if self.beam else '.parquet'}")
        if self.beam and self.output.suffix.lower() in SUFFIXES:
            raise ConfigError(
                f"--output {self.output}: with --beam it is a folder of Parquet files; leave the ending out"
            )
        if not self.beam and self.output.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"--output {self.output}: must end in {' or '.join(SUFFIXES)}")
        return self.output
