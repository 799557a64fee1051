"""Runs a part of the pipeline for a command that needs what it makes, and attends to the command's work."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console

from pipeline.config import JanusConfig
from pipeline.environment import Terminal
from pipeline.home import Home, now
from pipeline.preflight import check_data, check_metadata, check_schema_file
from pipeline.run.display import Display, shown_on
from pipeline.run.interruption import Interruption, interruptible
from pipeline.run.record import RunRecord, recorded

if TYPE_CHECKING:
    from pipeline.lineage.store import NodeExecution

Result = TypeVar("Result")


def run_part(
    name: str, config: JanusConfig, home: Home, display: Display, record: RunRecord, interruption: Interruption
) -> "dict[str, NodeExecution]":
    """Runs the pipeline up to Transform, or for `tune` up to the Tuner; what `janus run` has made is reused.

    Args:
        name: how the run's id begins.
        config, home: the pipeline's.
        display, record, interruption: of the work that needs it.

    Returns:
        Node → what it did.

    Raises:
        DataError: the data or the schema are rejected.
        JanusError: the metadata database cannot be used, or a run of the pipeline is under way.
    """
    with home.lock(), recorded(record, interruption):
        display.status("checking")
        check_metadata(home.metadata)
        check_data(config)
        check_schema_file(config)
        home.move_orphans()
        display.status("loading TFX")
        from pipeline.dag import create_data_pipeline, create_tuning_pipeline
        from pipeline.lineage.store import executions_of_run, open_store
        from pipeline.run.runner import places_in, run_on_beam

        run_id, places = f"{name}-{now()}", places_in(home, train=False)
        tunes = config.tune if name == "tune" else None
        pipeline = create_tuning_pipeline(config, tunes, places) if tunes else create_data_pipeline(config, places)
        run_on_beam(pipeline, run_id)
        return executions_of_run(open_store(home.metadata), run_id)


def attend(
    work: Callable[[Display, RunRecord, Interruption], Result], console: Console, terminal: Terminal, continues: str
) -> Result | int:
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
    working_folder, record = Path.cwd(), RunRecord()

    def report_interruption() -> None:
        print(f"interrupted; {continues}", file=terminal.err)

    def end_now(exit_code: int) -> None:
        if console.is_terminal:
            # Erases the progress line, and shows the cursor again.
            console.file.write("\r\x1b[2K\x1b[?25h")
        report_interruption()

    with interruptible(end_now) as interruption:
        try:
            with shown_on(console) as display:
                return work(display, record, interruption)
        except (Exception, KeyboardInterrupt):
            # TFX and Beam change it for a while.
            os.chdir(working_folder)
            if interruption.exit_code:
                report_interruption()
                return interruption.exit_code
            if record.failure:
                raise record.failure.error from None
            raise
