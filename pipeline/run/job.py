"""One `janus run`: checks, runs the pipeline, reports, and says how it ended."""

import logging
import os
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from janus_core.errors import FIRST_SIGNAL, DataError, JanusError, exit_code_of, expected, readable
from janus_core.progress import PROGRESS, listening
from janus_core.temporary import temporary_files_in
from pipeline.config import JanusConfig
from pipeline.environment import Terminal, library_output_to
from pipeline.home import Home, note_on_size
from pipeline.hooks.run import run_hooks
from pipeline.lineage.run_config import as_trained, write_config
from pipeline.preflight import check_before_run
from pipeline.report.analysis.analysis_json import ANALYSIS_FILE, Analysis
from pipeline.report.report_json import REPORT_FILE, ComponentReport, RunReport, new_report, read_report, write_report
from pipeline.report.view import report_view
from pipeline.report.wording import did_fail
from pipeline.run.display import Display, console_on, shown_on
from pipeline.run.early_analysis import EarlyAnalysis
from pipeline.run.interruption import interruptible
from pipeline.run.json_lines import JsonLines, write_end, write_event, written_to
from pipeline.run.record import RunRecord
from pipeline.run.spans import Inputs, check_span, nothing_new


@dataclass
class _Run:
    """The state of one run."""

    config: JanusConfig
    home: Home
    run_id: str
    terminal: Terminal
    console: Console
    report: RunReport
    span: int | None = None
    as_json: bool = False
    inputs: Inputs | None = None
    record: RunRecord = field(default_factory=RunRecord)
    analysis: Analysis = field(default_factory=Analysis)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.early_analysis = EarlyAnalysis(self.config, self.home, self.run_id)

    @property
    def folder(self) -> Path:
        return self.home.run_folder(self.run_id)

    def events_shown(self) -> AbstractContextManager[Display | JsonLines]:
        """Shows what happens meanwhile to a person, or writes it for a machine."""
        return written_to(self.terminal.out) if self.as_json else shown_on(self.console)


def run_job(config: JanusConfig, verbose: bool = False, span: int | None = None, as_json: bool = False) -> int:
    """Runs the pipeline of a configuration and returns the exit code; there is a report however it ends.

    Where the last run was of the same span, files, configuration and code, nothing is run, and a message says so.

    Args:
        span: the span to ingest, in TFX's numbers; None: the newest.
        as_json: writes what happens as events for machines instead (`pipeline.run.json_lines`).

    Raises:
        ConfigError: the pipeline's home cannot be written.
        JanusError: another run of the pipeline is under way.
    """
    home = Home(config.name)
    home.create()
    with home.lock(), temporary_files_in(home.temporary):
        known = nothing_new(config, home, span)
        if known is not None:
            inputs, finished = known
            message = (
                f"no new span since run {finished.run_id}, of span {inputs.span}: nothing to do; "
                f"{finished.pushed} is up to date"
            )
            if as_json:
                write_event(sys.stdout, "message", level="info", message=message)
                write_end(sys.stdout, 0)
            else:
                print(message)
            return 0
        run_id = home.new_run()
        write_config(config, home.run_folder(run_id))
        with library_output_to(home.run_folder(run_id) / "run.log", verbose) as terminal:
            report = new_report(config.name, run_id)
            console = Console(quiet=True) if as_json else console_on(terminal.out)
            run = _Run(config, home, run_id, terminal, console, report, span, as_json)
            _carry_out(run, verbose)
            return report.exit_code


def _carry_out(run: _Run, verbose: bool) -> None:
    working_folder = Path.cwd()

    def end_now(exit_code: int) -> None:
        os.chdir(working_folder)
        if run.console.is_terminal:
            # Removes the line of what is running, and shows the cursor again.
            run.terminal.out.write("\r\x1b[2K\x1b[?25h")
        _report_interruption(run, exit_code)
        _write(run)
        _write_end(run)

    with interruptible(end_now) as interruption:
        try:
            if run.as_json:
                started = {"pipeline": run.config.name, "run_id": run.run_id, "folder": str(run.folder)}
                write_event(run.terminal.out, "run_started", **started)
            with run.events_shown() as display, listening(interruption, run.record, run.early_analysis):
                display.status("checking")
                check_before_run(run.config, run.home, run.span)
                run.inputs = check_span(run.config, run.home, run.span)
                moved = run.home.move_orphans()
                if moved:
                    gone = run.home.metadata
                    PROGRESS.warning("%s is gone or empty: the artifacts that it described are now in %s", gone, moved)
                _run_pipeline(run, display)
            _add_outcome(run)
        except (Exception, KeyboardInterrupt) as error:
            # TFX and Beam change it for a while.
            os.chdir(working_folder)
            logging.getLogger(__name__).error("the run failed", exc_info=error)
            if interruption.exit_code:
                _report_interruption(run, interruption.exit_code)
            else:
                _report_failure(run, error, verbose)
            _add_partial_outcome(run)
        finally:
            run.early_analysis.stop()
        path = _write(run)
    if not did_fail(run.report):
        run.console.print(report_view(run.report))
    place = f", report: {path}" if path.exists() else ""
    run.console.print(f"{run.report.seconds:.1f} s{place}", style="dim")
    if note := note_on_size(run.home):
        run.console.print(note)
    for warning in run_hooks(run.config.hooks, run.report, str(run.folder / REPORT_FILE)):
        if run.as_json:
            write_event(run.terminal.out, "message", level="warning", message=warning)
        else:
            print(f"warning: {warning}", file=run.terminal.err)
    _write_end(run)


def _write_end(run: _Run) -> None:
    if run.as_json:
        report = run.report
        path = run.folder / REPORT_FILE
        write_end(run.terminal.out, report.exit_code, report.problems, report.pushed, path, report.warnings)


def _run_pipeline(run: _Run, display: Display | JsonLines) -> None:
    display.status("loading TFX")
    from pipeline.dag import create_pipeline
    from pipeline.lineage.pushes import check_reference, record_rollbacks_in
    from pipeline.run.leftovers import remove_leftovers
    from pipeline.run.runner import places_in, run_on_beam

    remove_leftovers(run.home)
    # Before a Resolver chooses the model to compare with: a rollback elsewhere may not have come to record it.
    record_rollbacks_in(run.config, run.home)
    check_reference(run.config, run.home)
    run_on_beam(create_pipeline(run.config, places_in(run.home), run.span), run.run_id)


# --- the report -------------------------------------------------------------------------------------------------


def _add_outcome(run: _Run, interrupted: bool = False) -> None:
    from pipeline.lineage.pushes import baseline_version
    from pipeline.lineage.store import executions_of_run, open_store
    from pipeline.report.analysis.analyse import analyse
    from pipeline.report.best_served import add_best_served
    from pipeline.report.outcome import add_analysis, add_outcome, gap_reported
    from pipeline.run.finished import record_inputs

    store = open_store(run.home.metadata)
    executions = executions_of_run(store, run.run_id)
    if run.config.tune and run.config.tune.use:
        run.config = as_trained(run.config, executions)
        with gap_reported(run.report, "the configuration that was trained"):
            write_config(run.config, run.folder)
    add_outcome(run.report, run.config, executions)
    with gap_reported(run.report, "the version of the baseline"):
        run.report.baseline_version = baseline_version(store, executions)
    with gap_reported(run.report, "the best version that was served"):
        add_best_served(run.report, run.config, run.home)
    if run.inputs and run.report.pushed and not run.report.exit_code:
        with gap_reported(run.report, "what the run was made from"):
            record_inputs(store, run.run_id, run.inputs.digest)
    if run.report.history:
        with gap_reported(run.report, "the plot of the training"):
            _add_plot(run)
    if not interrupted:
        with gap_reported(run.report, "the analysis of data and model"):
            with run.events_shown() as display:
                made, earlier = run.early_analysis.result(display.status), run.home.latest / ANALYSIS_FILE
                run.analysis = analyse(run.config, executions, store, earlier, display.status, made)
            add_analysis(run.report, run.config, run.analysis)


def _add_plot(run: _Run) -> None:
    """Draws the training, unless the last run drew the same one: a run that changes nothing should not wait for it."""
    before, plot = run.home.latest, run.folder / "training.png"
    with suppress(JanusError, OSError):
        report = read_report(before / REPORT_FILE)
        if report.history == run.report.history and list(report.tasks) == list(run.report.tasks):
            shutil.copyfile(before / plot.name, plot)
            return
    from pipeline.report.training_plots import draw_training

    draw_training(run.report.history, list(run.report.tasks), plot)


def _add_partial_outcome(run: _Run) -> None:
    """Adds to the report of a failed run what its artifacts say, as far as the run came."""
    if "pipeline.run.runner" not in sys.modules or not run.home.has_metadata:
        return
    exit_code, problems, pushed = run.report.exit_code, list(run.report.problems), run.report.pushed
    try:
        _add_outcome(run, interrupted=exit_code >= FIRST_SIGNAL)
    except Exception:
        logging.getLogger(__name__).exception("the failed run's artifacts cannot be read")
    run.report.exit_code, run.report.problems = exit_code, problems
    run.report.pushed = run.report.pushed or pushed


def _write(run: _Run) -> Path:
    from pipeline.report.page import PAGE_FILE
    from pipeline.report.write import write_pages

    for name, event in run.record.components.items():
        state = "complete" if event.state == "complete" else "failed"
        run.report.components[name] = ComponentReport(seconds=round(event.seconds, 2), cached=event.cached, state=state)
    run.report.warnings = [*run.record.warnings, *run.report.warnings]
    run.report.seconds = round(time.monotonic() - run.started, 1)
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    run.report.peak_memory_mb = round(max(resource.getrusage(which).ru_maxrss for which in processes) / 1024, 1)
    path = run.folder / REPORT_FILE
    with _written(run, path):
        write_report(run.report, run.folder)
    with _written(run, run.folder / PAGE_FILE):
        path = write_pages(run.report, run.config, run.analysis, run.home.folder, run.folder)
    with _written(run, run.home.latest):
        run.home.link_latest(run.run_id)
    return path


@contextmanager
def _written(run: _Run, path: Path) -> Iterator[None]:
    """Reports a file that cannot be written; the run does not fail because of it, nor end in another way."""
    try:
        yield
    except Exception as error:
        logging.getLogger(__name__).exception("%s cannot be written", path)
        remedy = "then `janus report CONFIG --rebuild` writes it"
        print(f"warning: {path} cannot be written: {readable(error)}; {remedy}", file=run.terminal.err)


# --- failures ---------------------------------------------------------------------------------------------------


def _report_interruption(run: _Run, exit_code: int) -> None:
    unfinished = [name for name, event in run.record.components.items() if event.state != "complete"]
    problem = f"interrupted{' in ' + unfinished[-1] if unfinished else ''}"
    run.report.exit_code, run.report.problems = exit_code, [problem]
    print(f"{problem}; the next run continues from here", file=run.terminal.err)


def _report_failure(run: _Run, error: BaseException, verbose: bool) -> None:
    """Reports what failed; of a component's failure what it raised, before Beam wrapped it.

    What failed after the push is a warning: the exit code says what happened to the model.
    """
    failure = run.record.failure
    cause, where = (failure.error, f"{failure.component}: ") if failure else (error, "")
    known = expected(cause)
    problems = known.problems if isinstance(known, DataError) else [str(known or f"{type(cause).__name__}: {cause}")]
    run.report.exit_code, run.report.problems = exit_code_of(cause), [f"{where}{problem}" for problem in problems]
    stream = run.terminal.err
    if run.record.pushed:
        run.report.pushed, run.report.blessed = run.record.pushed, True
        warning = f"{where}{readable(cause)}; the model is pushed, and the next run completes what is recorded of it"
        run.report.exit_code, run.report.problems, run.report.warnings = 0, [], [warning]
        return
    print(f"error: {where}{readable(cause)}", file=stream)
    if not known:
        print(f"This was not expected. The traceback is in {run.folder}/run.log; --verbose shows it.", file=stream)
    if verbose:
        traceback.print_exception(cause, file=stream)
