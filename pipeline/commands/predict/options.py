"""The options of `janus predict`."""

from dataclasses import dataclass
from pathlib import Path

from janus_core.errors import ConfigError

SUFFIXES = (".parquet", ".csv")
"""Of the output's file."""


@dataclass(frozen=True)
class PredictOptions:
    """Where rows come from, where predictions go, and which model makes them.

    Attributes:
        input: a file, folder or glob: .csv, .csv.gz, .tsv, .parquet, .json, .jsonl or TFRecord.
        output: a .parquet or .csv file; with `beam` a folder. None: `<input's name>.predictions…` in the working
            folder, since the input's may be one that trainings read.
        url: a server's, see serving.client.connect; None: the model is loaded into this process.
        model: a version's folder, or a folder of versions, of which the newest counts; None: `push.path`.
        name: the name under which the server has the model; None: the pipeline's.
        version: on the server; None: the newest.
        label: on the server, instead of a version.
        batch_size: rows per request.
        deadline_seconds: of a request with all its attempts.
        retries: attempts after the first.
        concurrency: requests under way at a time.
        beam: divide the work by Beam, run with `beam.args`.
        force: replace the output.
        only_predictions: leave out the input's columns.
        prefix: put before the tasks' names in the output's columns; None: nothing, or `predicted_` where the input has
            columns with the names of predictions.
    """

    input: str
    output: Path | None = None
    url: str | None = None
    model: str | None = None
    name: str | None = None
    version: int | None = None
    label: str | None = None
    batch_size: int = 1024
    deadline_seconds: float = 10.0
    retries: int = 4
    concurrency: int = 4
    beam: bool = False
    force: bool = False
    only_predictions: bool = False
    prefix: str | None = None

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
        for key in ("batch_size", "concurrency"):
            if getattr(self, key) < 1:
                raise ConfigError(f"--{key.replace('_', '-')} must be at least 1")
        if self.deadline_seconds <= 0 or self.retries < 0:
            raise ConfigError("--deadline must be above 0, and --retries not below")

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
