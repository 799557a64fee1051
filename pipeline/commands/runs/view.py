"""The list of runs on a terminal."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.commands.output import plain_table
from pipeline.commands.runs.listing import Runs, RunSummary
from pipeline.report.wording import headline_text

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
        table.add_row(
            run.run_id,
            Text(run.outcome, style=style),
            "" if run.seconds is None else f"{run.seconds:,.1f} s",
            "" if run.components is None else f"{run.cached} of {run.components}",
            "" if run.span is None else str(run.span),
            escape("\n".join(headline_text(name, value) for name, value in run.metrics.items()) or _problem(run)),
            escape(run.pushed.rstrip("/").rpartition("/")[2] if run.pushed else ""),
        )
    return table


def _problem(run: RunSummary) -> str:
    return run.problems[0].partition("\n")[0][:80] if run.problems else ""
