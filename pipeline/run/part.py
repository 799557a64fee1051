"""Runs a part of the pipeline for a command that needs what it makes, and attends to the command's work."""

from collections.abc import Callable
from contextlib import chdir
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from rich.console import Console

from janus_core.progress import listening
from janus_core.temporary import temporary_files_in
from pipeline.config import JanusConfig
from pipeline.environment import Terminal
from pipeline.home import Home, now, unused
from pipeline.preflight import check_data, check_metadata, check_schema_file
from pipeline.run.display import Display, shown_on
from pipeline.run.interruption import interruptible
from pipeline.run.record import RunRecord

if TYPE_CHECKING:
    from pipeline.lineage.store import NodeExecution

Result = TypeVar("Result")


def run_part(
    name: Literal["compare", "schema", "tune"], config: JanusConfig, home: Home, display: Display
) -> "dict[str, NodeExecution]":
    """Runs the pipeline as far as a command needs it, which is how the run's id begins; returns node → what it did.

    That is up to Transform, for `tune` up to the Tuner, and for `schema` what infers one from the data alone. What
    `janus run` has made is reused.

    Raises:
        DataError: the data or the schema are rejected.
        JanusError: the metadata database cannot be used, or a run of the pipeline is under way.
    """
    with home.lock(), temporary_files_in(home.temporary):
        display.status("checking")
        check_metadata(home.metadata)
        check_data(config)
        if name != "schema":
            check_schema_file(config)
        home.move_orphans()
        display.status("loading TFX")
        from pipeline.dag import create_data_pipeline, create_schema_pipeline, create_tuning_pipeline
        from pipeline.lineage.store import executions_of_run, has_run, open_store
        from pipeline.run.leftovers import remove_leftovers
        from pipeline.run.runner import places_in, run_on_beam

        remove_leftovers(home)
        # Under the id of an earlier run, TFX's launcher takes that one's executions for its own, and does nothing.
        run_id = unused(f"{name}-{now()}", partial(has_run, open_store(home.metadata)))
        places = places_in(home, train=False)
        if name == "tune" and config.tune:
            pipeline = create_tuning_pipeline(config, config.tune, places)
        else:
            pipeline = (create_schema_pipeline if name == "schema" else create_data_pipeline)(config, places)
        run_on_beam(pipeline, run_id)
        return executions_of_run(open_store(home.metadata), run_id)


def attend(work: Callable[[Display], Result], console: Console, terminal: Terminal, continues: str) -> Result | int:
    """Shows the progress of a command's work, and ends it when the user asks for that.

    Args:
        work: does it.
        console: on which progress is shown.
        terminal: receives the message of an interruption.
        continues: what continues after it, in words.

    Returns:
        The work's result; or the exit code, if it was interrupted.

    Raises:
        Exception: what ended the work; of a component's failure what it raised, before Beam wrapped it.
    """
    record = RunRecord()

    def report_interruption() -> None:
        print(f"interrupted; {continues}", file=terminal.err)

    def end_now(exit_code: int) -> None:
        if console.is_terminal:
            # Erases the progress line, and shows the cursor again.
            console.file.write("\r\x1b[2K\x1b[?25h")
        report_interruption()

    with interruptible(end_now) as interruption:
        try:
            # TFX and Beam change the working folder for a while.
            with chdir("."), shown_on(console) as display, listening(interruption, record):
                return work(display)
        except (Exception, KeyboardInterrupt):
            if interruption.exit_code:
                report_interruption()
                return interruption.exit_code
            if record.failure:
                raise record.failure.error from None
            raise
