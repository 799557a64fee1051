"""Makes the report of the newest run again, from what ML Metadata and the artifacts have of it."""

from collections.abc import Callable
from pathlib import Path

from janus_core.errors import ConfigError
from pipeline.config import JanusConfig
from pipeline.config.file import parse_config
from pipeline.environment import library_output_to
from pipeline.home import Home
from pipeline.lineage.run_config import CONFIG_FILE, read_config
from pipeline.preflight import check_metadata
from pipeline.report.report_json import REPORT_FILE, RunReport, new_report, read_report, write_report
from pipeline.run.display import console_on, shown_on


def rebuild_report(config: JanusConfig, home: Home, verbose: bool = False) -> RunReport:
    """Writes report.json, the page and the model card of the newest run again, and links `latest` to it.

    What only the run itself knew (its time and memory, and how a run that failed ended) is taken from the report that
    is there, if it can be read.

    Args:
        config: is used where the run's own copy is missing.
        home: the pipeline's.
        verbose: shows what the libraries print.

    Raises:
        ConfigError: there is no run, or ML Metadata does not know it.
        JanusError: a run is under way, or the metadata database cannot be used.
        OSError: a file cannot be written.
    """
    ids = home.run_ids()
    if not ids:
        raise ConfigError(f"pipeline '{home.name}' has no runs yet: start one with `janus run CONFIG`")
    log = home.run_folder(ids[0]) / "run.log"
    with home.lock(), library_output_to(log, verbose) as terminal, shown_on(console_on(terminal.out)) as display:
        return _rebuild(config, home, ids[0], display.status)


def _rebuild(config: JanusConfig, home: Home, run_id: str, progress: Callable[[str], None]) -> RunReport:
    progress("loading TFX")
    from pipeline.lineage.pushes import baseline_version
    from pipeline.lineage.store import executions_of_run, open_store
    from pipeline.report.analysis.analyse import analyse
    from pipeline.report.best_served import add_best_served
    from pipeline.report.outcome import add_analysis, add_components, add_outcome, gap_reported
    from pipeline.report.write import write_pages

    folder = home.run_folder(run_id)
    check_metadata(home.metadata)
    store = open_store(home.metadata)
    executions = executions_of_run(store, run_id)
    if not executions:
        raise ConfigError(f"{home.metadata} has nothing of run {run_id}: start another with `janus run CONFIG`")
    own = read_config(folder)
    config = parse_config(own, str(folder / CONFIG_FILE)) if own else config
    report = new_report(config.name, run_id)
    add_outcome(report, config, executions)
    with gap_reported(report, "the version of the baseline"):
        report.baseline_version = baseline_version(store, executions)
    with gap_reported(report, "the best version that was served"):
        add_best_served(report, config, home)
    if report.pushed:
        add_components(report, [node for node, execution in executions.items() if execution.complete], executions)
    else:
        add_components(report, list(executions), executions)
    _take_over(report, folder / REPORT_FILE)
    analysis = analyse(config, executions, store, None, progress)
    add_analysis(report, config, analysis)
    write_report(report, folder)
    write_pages(report, config, analysis, home.folder, folder)
    home.link_latest(run_id)
    return report


def _take_over(report: RunReport, path: Path) -> None:
    try:
        before = read_report(path)
    except ConfigError:
        return
    report.components, report.seconds = before.components, before.seconds
    report.peak_memory_mb = before.peak_memory_mb
    if not report.pushed:
        report.exit_code, report.problems = before.exit_code, before.problems
