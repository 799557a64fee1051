"""Runs, and what two of them differ in, as a person reads it on a terminal."""

from collections.abc import Sequence
from typing import Literal

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.history.diff import Change, Difference, MetricChange, StatisticChange
from pipeline.history.facts import shown
from pipeline.history.runs import Runs, RunSummary, TaskHeadline

STATISTICS_SHOWN = 20
_IN_OWN_UNIT = frozenset({"mae", "rmse", "bias", "pinball"})
_GOOD = frozenset({"pushed", "nothing new"})


def runs_view(runs: Runs) -> RenderableType:
    """The table, and what is not in it."""
    if not runs.runs:
        return Text(f"pipeline '{runs.pipeline}' has no runs yet: start one with `janus run CONFIG`")
    parts: list[RenderableType] = [_runs_table(runs)]
    if runs.total > len(runs.runs):
        parts.append(Text(f"{runs.total - len(runs.runs)} older: --limit {runs.total} shows them", style="dim"))
    return Group(*parts, *(Text(note, style="yellow") for note in runs.notes))


def difference_view(difference: Difference) -> RenderableType:
    """Metrics first, then what may be their cause."""
    parts: list[RenderableType] = [Text(f"A {difference.a}\nB {difference.b}", style="bold")]
    if difference.metrics:
        parts.append(_metrics_table(difference.metrics))
    for title, found in (
        (f"configuration (by {difference.config_of})", difference.config),
        ("code", difference.code),
        ("libraries", difference.stack),
        ("data", difference.data),
        ("columns", difference.columns),
    ):
        parts.append(_changes_table(title, found) if found else Text(f"{title}: no difference", style="dim"))
    if difference.statistics:
        parts.append(_statistics_table(difference.statistics[:STATISTICS_SHOWN]))
        hidden = len(difference.statistics) - STATISTICS_SHOWN
        parts += [Text(f"{hidden} smaller ones: --json has them", style="dim")] if hidden > 0 else []
    else:
        parts.append(Text("data statistics: no difference", style="dim"))
    return Group(*parts, *(Text(note, style="yellow") for note in difference.notes))


def _runs_table(runs: Runs) -> Table:
    table = _table(f"runs of {runs.pipeline}", ("run", "outcome", "time", "cached", "span", "metrics", "version"))
    for run in runs.runs:
        style = "" if run.outcome in _GOOD else "yellow" if run.outcome in ("no report", "not pushed") else "red"
        table.add_row(
            run.run_id,
            Text(run.outcome, style=style),
            "" if run.seconds is None else f"{run.seconds:,.1f} s",
            "" if run.components is None else f"{run.cached} of {run.components}",
            "" if run.span is None else str(run.span),
            escape("\n".join(_headline(name, value) for name, value in run.metrics.items()) or _problem(run)),
            escape(run.pushed.rstrip("/").rpartition("/")[2] if run.pushed else ""),
        )
    return table


def _problem(run: RunSummary) -> str:
    return run.problems[0].partition("\n")[0][:80] if run.problems else ""


def _metrics_table(metrics: Sequence[MetricChange]) -> Table:
    table = _table("metrics", ("task", "metric", "A", "B", "B - A", ""))
    before = ""
    for metric in metrics:
        unit = f" [{metric.unit}]" if metric.unit and metric.metric in _IN_OWN_UNIT else ""
        table.add_row(
            escape(metric.task if metric.task != before else ""),
            escape(f"{metric.metric}{unit}"),
            _number(metric.a),
            _number(metric.b),
            "" if metric.change is None else f"{metric.change:+.4f}",
            {True: Text("better", "green"), False: Text("worse", "red"), None: Text("")}[metric.better],
        )
        before = metric.task
    return table


def _changes_table(title: str, found: Sequence[Change]) -> Table:
    table = _table(title, ("key", "A value", "B value"))
    for change in found:
        table.add_row(
            escape(change.key),
            Text("(absent)", "dim") if change.kind == "added" else escape(shown(change.a)),
            Text("(absent)", "dim") if change.kind == "removed" else escape(shown(change.b)),
        )
    return table


def _statistics_table(found: Sequence[StatisticChange]) -> Table:
    table = _table("data statistics", ("column", "split", "statistic", "A", "B"))
    for change in found:
        values = ("" if value is None else f"{value:.6g}" for value in (change.a, change.b))
        table.add_row(escape(change.column), change.split, escape(change.statistic), *values)
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=escape(title), title_justify="left", header_style="bold")
    for name in columns:
        justify: Literal["right", "left"] = "right" if name in ("time", "span", "A", "B", "B - A") else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in ("run", "version", "time"))
    return table


def _headline(name: str, found: TaskHeadline) -> str:
    unit = f" {found.unit}" if found.unit and found.metric in _IN_OWN_UNIT else ""
    return f"{name} {found.metric} {'undefined' if found.value is None else f'{found.value:.4f}'}{unit}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
