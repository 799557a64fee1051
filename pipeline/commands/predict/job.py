"""One `janus predict`: finds the model and the rows, predicts, and writes the output."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from components.pusher.layout import is_url, join
from components.pusher.versions import versions
from janus_core.errors import ConfigError, JanusError, ServingError
from janus_core.files import delete_unfinished
from janus_core.progress import readable_seconds
from pipeline.commands.predict.chunks import Chunk, output_schema, predict_in_order, read_chunks
from pipeline.commands.predict.input_files import Source, absent_columns, open_source
from pipeline.commands.predict.options import PredictOptions
from pipeline.commands.predict.output import PREFIX, TaskColumns, named_apart, require_free, tasks_of, whole_file
from pipeline.config import JanusConfig
from pipeline.config.media import image_columns
from pipeline.environment import library_output_to
from pipeline.home import Home
from pipeline.run.display import console_on
from pipeline.run.interruption import interruptible
from serving.client import Client, LocalClient, RequestError, connect
from serving.signatures import ASSUMED


def run_predict_job(config: JanusConfig, options: PredictOptions, verbose: bool = False) -> int:
    """Predicts the rows of files and returns the exit code; the output appears whole or not at all.

    Raises:
        ConfigError: the options do not go together, or the output must not or cannot be written.
        DataError: there are no rows, a column is missing that the model requires, or a value is of a wrong type.
        ServingError: the model does not load or answer.
        JanusError: there is no model.
    """
    options.check()
    target = options.target
    require_free(target, options.force)
    home = Home(config.name)
    home.create()

    with (
        library_output_to(home.folder / "predict.log", verbose) as terminal,
        interruptible(lambda exit_code: delete_unfinished(target)) as interruption,
    ):
        try:
            _predict(config, options, target, console_on(terminal.out))
        except (Exception, KeyboardInterrupt):
            if interruption.exit_code:
                print(f"interrupted; {target} was not written", file=terminal.err)
                return interruption.exit_code
            raise
    return 0


def _predict(config: JanusConfig, options: PredictOptions, target: Path, console: Console) -> None:
    started = time.monotonic()
    with _model(config, options) as (client, model):
        try:
            signature = client.signature
            description = client.description if isinstance(client, LocalClient) else None
        except RequestError as error:
            raise ServingError(f"{model}: {error.code.name}: {error}") from error
        if signature.assumed:
            console.print(f"{model}: {ASSUMED}", markup=False)
        tasks = tasks_of(config, signature, description, options.prefix or "")
        typed = options.beam or target.suffix.lower() != ".csv"
        repeated = not options.only_predictions
        # With Beam, the machine that starts the work need not read all of it.
        source = open_source(
            options.input, signature, typed, repeated, not options.beam, config.cell_forms(), config.data
        )
        paths = {name: image for name, image in image_columns(config.features).items() if image.source == "path"}
        source = replace(source, images=paths, sensitive=config.sensitive_columns())
        named = named_apart(tasks, source.schema.names, options.prefix)
        if named != tasks:
            console.print(
                f"the input has columns that are called like predictions, which are prefixed by {PREFIX}: "
                f"{', '.join(field.name for task in named for field in task.fields)}",
                markup=False,
            )
        tasks = named
        if any(Path(path).resolve() == target.resolve() for path in source.files):
            raise ConfigError(f"--output {target} is one of the input's files")
        absent = absent_columns(source, signature)
        if absent:
            console.print(f"not in the input, so missing in every row: {'; '.join(absent)}", markup=False)
        ready = time.monotonic()
        if not options.beam:
            rows = _write(client, source, tasks, target, options, console)
    if options.beam:
        from pipeline.beam import check_arguments
        from pipeline.commands.predict.beam import predict_on_beam

        arguments = config.beam.arguments()
        if arguments:
            check_arguments(arguments)
        rows = predict_on_beam(model, source, signature, tasks, target, options, arguments)
    seconds = time.monotonic() - ready
    console.print(
        f"{rows:,} rows by {model} → {target} in {seconds:.1f} s ({rows / max(seconds, 1e-3):,.0f} rows/s), after "
        f"{ready - started:.1f} s of loading",
        markup=False,
    )


def _write(
    client: Client, source: Source, tasks: list[TaskColumns], target: Path, options: PredictOptions, console: Console
) -> int:
    pieces = source.pieces()

    def chunks() -> Iterator[Chunk]:
        for piece in pieces:
            yield from read_chunks(source, client.signature, piece, options.batch_size)

    with (
        whole_file(target, output_schema(source, tasks)) as writer,
        shown_progress(console, float(sum(piece.size for piece in pieces))) as advance,
    ):
        for chunk, columns in predict_in_order(client, tasks, chunks(), options.concurrency):
            writer.write(columns)
            advance(chunk.rows, chunk.size)
    return writer.rows


@contextmanager
def _model(config: JanusConfig, options: PredictOptions) -> Iterator[tuple[Client, str]]:
    """The client, and what its model is called in messages (for one in a folder, the folder)."""
    if options.url is not None:
        name = options.name or config.name
        try:
            remote = connect(
                options.url,
                name,
                version=options.version,
                label=options.label,
                deadline_seconds=options.deadline_seconds,
                retries=options.retries,
            )
        except ValueError as error:
            raise ConfigError(f"--url: {error}") from error
        with remote:
            yield remote, f"{name} at {options.url}"
        return
    path = newest_version(config, options.model)
    try:
        local = LocalClient(path)
    except RequestError as error:
        raise ServingError(f"{path}: the model does not load: {error}") from error
    try:
        yield local, path
    finally:
        # A request may still be under way after a failure; its memory goes with the process.
        if sys.exc_info()[0] is None:
            local.close()


def newest_version(config: JanusConfig, model: str | None) -> str:
    """The folder of the model that is meant: `model` itself, or the newest version in it or in `push.path`.

    Raises:
        ConfigError: there is no model in `model`.
        JanusError: nothing has been pushed.
    """
    if model is not None and not is_url(model) and (Path(model) / "saved_model.pb").exists():
        return model
    base = config.push.path if model is None else model
    found = versions(base) if is_url(base) or Path(base).is_dir() else []
    if found:
        return join(base, found[-1])
    if model is not None:
        raise ConfigError(f"--model {model}: no SavedModel, and no numbered versions of one")
    raise JanusError(f"push.path: there is no model in '{base}' yet; run the pipeline, or give --model or --url")


# --- progress -----------------------------------------------------------------------------------------------------

LINE_SECONDS = 10.0
"""Between two lines where there is no terminal."""


@contextmanager
def shown_progress(console: Console, total: float) -> Iterator[Callable[[int, float], None]]:
    """Yields a function to call with the number of rows that are done, and their size as a part of `total`."""
    started = time.monotonic()
    shown = started
    rows, size = 0, 0.0

    def line() -> str:
        seconds = max(time.monotonic() - started, 1e-3)
        left = seconds * (total - size) / size if size else 0.0
        eta = f", {readable_seconds(left)} left" if size and left > 0 else ""
        return f"{rows:,} rows, {rows / seconds:,.0f} rows/s{eta}"

    columns = BarColumn(), TextColumn("{task.description}")
    there = console.is_terminal
    with Progress(*columns, console=console, transient=True, refresh_per_second=4, disable=not there) as progress:
        bar = progress.add_task("", total=max(total, 1.0))

        def advance(more: int, part: float) -> None:
            nonlocal rows, size, shown
            rows, size = rows + more, min(size + part, total)
            progress.update(bar, completed=size, description=line())
            if not there and time.monotonic() - shown >= LINE_SECONDS:
                shown = time.monotonic()
                console.print(line())

        yield advance
