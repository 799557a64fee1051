"""The runs of a pipeline's home, by the reports that they left."""

import re
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from janus_core.errors import ConfigError, GateError, ServingError
from janus_core.kinds import reported_headline
from pipeline.home import Home
from pipeline.report.report_json import REPORT_FILE, RunReport

_RUN_ID = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)(?:-(\d+))?")
_FIRST_SIGNAL = 128


class TaskHeadline(BaseModel):
    """A task's first metric."""

    metric: str
    value: float | None
    unit: str | None = None


class RunSummary(BaseModel):
    """One run. Without a report, it is under way or was killed; then all but `run_id` and `outcome` is null."""

    run_id: str
    outcome: str
    exit_code: int | None = None
    seconds: float | None = None
    span: int | None = None
    components: int | None = Field(None, description="How many components ran.")
    cached: int | None = Field(None, description="How many of them were found in the cache.")
    metrics: dict[str, TaskHeadline] = {}
    pushed: str | None = None
    problems: list[str] = []


class Runs(BaseModel):
    """A pipeline's runs, newest first."""

    pipeline: str
    total: int
    runs: list[RunSummary]
    notes: list[str] = Field(description="What could not be read.")


def list_runs(home: Home, limit: int | None = None) -> Runs:
    """The newest runs; `limit` says how many, None: all."""
    notes: list[str] = []
    ids = run_ids(home)
    chosen = ids if limit is None else ids[:limit]
    return Runs(
        pipeline=home.name, total=len(ids), runs=[_summary(home, run_id, notes) for run_id in chosen], notes=notes
    )


def run_ids(home: Home) -> list[str]:
    """All runs that have a folder, newest first."""
    if not home.folder.is_dir():
        return []
    found = [(match, path.name) for path in home.folder.iterdir() if (match := _RUN_ID.fullmatch(path.name))]
    # The second run of a second ends in -2, the tenth in -10.
    return [name for match, name in sorted(found, key=lambda pair: (pair[0][1], int(pair[0][2] or 1)), reverse=True)]


def read_report(path: Path) -> RunReport:
    """A run's report.

    Raises:
        ConfigError: it is missing or cannot be read.
    """
    try:
        return RunReport.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no {path}: `janus runs CONFIG` lists the runs") from None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def outcome_of(report: RunReport) -> str:
    """How a run ended, in a few words."""
    if report.exit_code == 0 and report.pushed:
        return "nothing new" if report.all_cached() else "pushed"
    if report.exit_code == GateError.exit_code:
        return "gate failed"
    if report.exit_code == ServingError.exit_code:
        return "serving check failed"
    if report.exit_code >= _FIRST_SIGNAL:
        return "interrupted"
    return "failed" if report.exit_code else "not pushed"


def _summary(home: Home, run_id: str, notes: list[str]) -> RunSummary:
    path = home.run_folder(run_id) / REPORT_FILE
    if not path.exists():
        return RunSummary(run_id=run_id, outcome="no report")
    try:
        report = read_report(path)
    except ConfigError as error:
        notes.append(str(error))
        return RunSummary(run_id=run_id, outcome="unreadable report")
    return RunSummary(
        run_id=run_id,
        outcome=outcome_of(report),
        exit_code=report.exit_code,
        seconds=report.seconds,
        span=report.span,
        components=len(report.components),
        cached=sum(component.cached for component in report.components.values()),
        metrics=_headlines(report),
        pushed=report.pushed,
        problems=report.problems,
    )


def _headlines(report: RunReport) -> dict[str, TaskHeadline]:
    found = {}
    for name, task in report.tasks.items():
        metric, values = reported_headline(task), task.get("metrics", {})
        if metric and metric.name in values:
            unit = metric.unit_in(task.get("unit"))
            found[name] = TaskHeadline(metric=metric.name, value=values[metric.name], unit=unit)
    return found
