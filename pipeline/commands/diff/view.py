"""How two runs differ, on a terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.commands.diff.difference import Change, Difference, MetricChange, StatisticChange
from pipeline.commands.output import plain_table
from pipeline.lineage.properties import shown
from pipeline.report.view import decimals

STATISTICS_SHOWN = 20


def difference_view(difference: Difference) -> RenderableType:
    """Metrics first, then what may be their cause."""
    parts: list[RenderableType] = [Text(f"A {difference.a}\nB {difference.b}", style="bold")]
    if difference.metrics:
        parts.append(_metrics_table(difference.metrics))
    for title, listed in (
        ("configuration", difference.config),
        ("code", difference.code),
        ("libraries", difference.stack),
        ("data", difference.data),
        ("columns", difference.columns),
    ):
        parts.append(_changes_table(title, listed) if listed else Text(f"{title}: no difference", style="dim"))
    if difference.statistics:
        parts.append(_statistics_table(difference.statistics[:STATISTICS_SHOWN]))
        hidden = len(difference.statistics) - STATISTICS_SHOWN
        parts += [Text(f"{hidden} smaller ones: --json has them", style="dim")] if hidden > 0 else []
    else:
        parts.append(Text("data statistics: no difference", style="dim"))
    return Group(*parts, *(Text(note, style="yellow") for note in difference.notes))


def _metrics_table(metrics: Sequence[MetricChange]) -> Table:
    table = plain_table("metrics", ("task", "metric", "A", "B", "B - A", ""), right=("A", "B", "B - A"))
    before = ""
    for metric in metrics:
        unit = f" [{metric.unit}]" if metric.unit else ""
        table.add_row(
            escape(metric.task if metric.task != before else ""),
            escape(f"{metric.metric}{unit}"),
            decimals(metric.a),
            decimals(metric.b),
            "" if metric.change is None else f"{metric.change:+.4f}",
            {True: Text("better", "green"), False: Text("worse", "red"), None: Text("")}[metric.better],
        )
        before = metric.task
    return table


def _changes_table(title: str, changed: Sequence[Change]) -> Table:
    table = plain_table(title, ("key", "A value", "B value"))
    for change in changed:
        table.add_row(
            escape(change.key),
            Text("(absent)", "dim") if change.kind == "added" else escape(shown(change.a)),
            Text("(absent)", "dim") if change.kind == "removed" else escape(shown(change.b)),
        )
    return table


def _statistics_table(changed: Sequence[StatisticChange]) -> Table:
    table = plain_table("data statistics", ("column", "split", "statistic", "A", "B"), right=("A", "B"))
    for change in changed:
        values = ("" if value is None else f"{value:.6g}" for value in (change.a, change.b))
        table.add_row(escape(change.column), change.split, escape(change.statistic), *values)
    return table
