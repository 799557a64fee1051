"""The runs of a pipeline's home, by the reports that they left."""

from pydantic import BaseModel, Field
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from janus_core.errors import FIRST_SIGNAL, ConfigError, GateError, ServingError
from pipeline.commands.output import plain_table
from pipeline.home import Home
from pipeline.report.report_json import REPORT_FILE, Headline, RunReport, headlines, read_report
from pipeline.report.wording import headline_text


class RunSummary(BaseModel):
    """One run. Without a report, it is still running or was killed; then all but `run_id` and `outcome` is null."""

    run_id: str
    outcome: str
    exit_code: int | None = None
    seconds: float | None = None
    span: int | None = None
    components: int | None = Field(None, description="How many components ran.")
    cached: int | None = Field(None, description="How many of them came from the cache.")
    metrics: dict[str, Headline] = {}
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
    ids = home.run_ids()
    chosen = ids if limit is None else ids[:limit]
    return Runs(
        pipeline=home.name, total=len(ids), runs=[_summary(home, run_id, notes) for run_id in chosen], notes=notes
    )


def outcome_of(report: RunReport) -> str:
    """How a run ended, in a few words."""
    if report.exit_code == 0 and report.pushed:
        return "nothing new" if report.all_cached() else "pushed"
    if report.exit_code == GateError.exit_code:
        return "gate failed"
    if report.exit_code == ServingError.exit_code:
        return "serving check failed"
    if report.exit_code >= FIRST_SIGNAL:
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
        metrics=headlines(report),
        pushed=report.pushed,
        problems=report.problems,
    )


# --- on the terminal ----------------------------------------------------------------------------------------------

_GOOD = frozenset({"pushed", "nothing new"})


def runs_view(runs: Runs) -> RenderableType:
    """The table, and what is not in it."""
    if not runs.runs:
        return Text(f"pipeline '{runs.pipeline}' has no runs yet: start one with `janus run CONFIG`")
    parts: list[RenderableType] = [_runs_table(runs)]
    if runs.total > len(runs.runs):
        parts.append(Text(f"{runs.total - len(runs.runs)} older: --limit {runs.total} shows them", style="dim"))
    return Group(*parts, *(Text(note, style="yellow") for note in runs.notes))


def _runs_table(runs: Runs) -> Table:
    table = plain_table(
        f"runs of {runs.pipeline}",
        ("run", "outcome", "time", "cached", "span", "metrics", "version"),
        right=("time", "span"),
        no_wrap=("run", "time", "version"),
    )
    for run in runs.runs:
        style = "" if run.outcome in _GOOD else "yellow" if run.outcome in ("no report", "not pushed") else "red"
        problem = run.problems[0].partition("\n")[0][:80] if run.problems else ""
        table.add_row(
            run.run_id,
            Text(run.outcome, style=style),
            "" if run.seconds is None else f"{run.seconds:,.1f} s",
            "" if run.components is None else f"{run.cached} of {run.components}",
            "" if run.span is None else str(run.span),
            escape("\n".join(headline_text(name, value) for name, value in run.metrics.items()) or problem),
            escape(run.pushed.rstrip("/").rpartition("/")[2] if run.pushed else ""),
        )
    return table
