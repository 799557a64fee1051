"""A comparison as a person reads it on a terminal."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.commands.compare.comparison import (
    CandidateResult,
    Change,
    Comparison,
    Cost,
    Estimate,
    SingleResult,
    TaskInfo,
)
from pipeline.commands.output import plain_table

DASH = "–"
SINGLE_NAME, EQUAL_NAME = "single-task", "single-task, equal size"

_STYLES = {"shares well": "green", "neutral": "", "negative transfer": "red"}


def comparison_view(comparison: Comparison) -> RenderableType:
    """Tasks, the ranking if there is one, what it costs, and the verdict in a sentence."""
    parts: list[RenderableType] = [tasks_table(comparison)]
    if len(comparison.candidates) > 1:
        parts.append(ranking_table(comparison))
    parts.append(cost_table(comparison))
    parts.append(Text(verdict_line(comparison), style="bold"))
    parts += [Text(f"  {note}", style="dim") for note in comparison.notes]
    return Group(*parts)


def tasks_table(comparison: Comparison) -> Table:
    """Task × network × headline metric × change: the configuration's own model, and the first if it is another."""
    shown = {result.name: result for result in (comparison.own, comparison.candidates[0])}
    seeds = len(comparison.seeds)
    title = (
        f"{comparison.pipeline}: {seeds} seed{'s' if seeds > 1 else ''}, {comparison.epochs} epochs; changes with "
        f"{comparison.confidence:.0%} intervals, + is better"
    )
    right = ("mean ± s.e.", "to single-task", "to equal size")
    table = plain_table(title, ("task", "network", "metric", *right, "verdict"), right, right)
    for task, info in comparison.tasks.items():
        first = f"{task}\n({info.labelled:,} labelled)"
        for result in shown.values():
            changes = result.changes[task]
            cells = [percent(changes.single), percent(changes.equal), _verdict(changes.single)]
            table.add_row(escape(first), result.name, _metric(info), _value(result, task, info), *cells)
            first = ""
        for name, single in ((SINGLE_NAME, comparison.single), (EQUAL_NAME, comparison.equal)):
            table.add_row("", name, "", _value(single, task, info), "", "", "")
        for name, value in comparison.baselines.get(task, {}).items():
            table.add_row("", name, "", DASH if value is None else f"{value:.4f}", "", "", "")
        table.add_section()
    first = "all tasks"
    for result in shown.values():
        cells = [percent(result.delta_m), percent(result.delta_m_equal), _verdict(result.delta_m)]
        table.add_row(first, result.name, "Δm", "", *cells)
        first = ""
    return table


def ranking_table(comparison: Comparison) -> Table:
    """All multi-task networks by Δm."""
    tasks = [f"{escape(task)}\n{_metric(info)}" for task, info in comparison.tasks.items()]
    right = (*tasks, "Δm to\nsingle-task", "to the first")
    columns = ("", "trunk × balancing", *right[:-1], "verdict", right[-1])
    table = plain_table("ranking by Δm (higher is better)", columns, ("", *right), right)
    for place, result in enumerate(comparison.candidates, start=1):
        name = f"{result.name}{' (yours)' if result.own else ''}"
        values = [_value(result, task, info) for task, info in comparison.tasks.items()]
        behind = percent(result.behind) if place > 1 else ""
        table.add_row(str(place), name, *values, percent(result.delta_m), _verdict(result.delta_m), behind)
    return table


def cost_table(comparison: Comparison) -> Table:
    """Parameters and wall time of each network; single-task ones together."""
    right = ("parameters", "training [s]", "epochs")
    table = plain_table("", ("network", *right), right)
    for result in comparison.candidates:
        _add_cost(table, result.name, result.cost)
    count = len(comparison.tasks)
    _add_cost(table, f"{count} single-task networks", comparison.single.cost)
    _add_cost(table, f"{count} single-task networks, each of equal size", comparison.equal.cost)
    return table


def verdict_line(comparison: Comparison) -> str:
    """What follows for the configuration's own model."""
    result = comparison.own
    change = result.delta_m
    if change is None:
        return f"{result.name}: Δm is not defined"
    if change.verdict is None:
        return f"{result.name}: Δm {change.mean:+.2%} against single-task networks, of one seed"
    meaning = {
        "shares well": "the tasks share well",
        "neutral": "no difference to single-task networks is shown",
        "negative transfer": "negative transfer: the tasks are better apart",
    }
    return f"{result.name}: Δm {percent(change)} at {comparison.confidence:.0%}: {meaning[change.verdict]}"


def percent(change: Change | None) -> str:
    """`+0.85% ± 0.65`: the mean, and half the interval."""
    if change is None:
        return DASH
    if change.high is None:
        return f"{change.mean:+.2%}"
    return f"{change.mean:+.2%} ± {100 * (change.high - change.mean):.2f}"


def plus_minus(found: Estimate, digits: int = 4) -> str:
    """`0.7721 ± 0.0012`."""
    if found.mean is None:
        return DASH
    mean = f"{found.mean:.{digits}f}"
    return mean if found.standard_error is None else f"{mean} ± {found.standard_error:.{digits}f}"


def _add_cost(table: Table, name: str, cost: Cost) -> None:
    table.add_row(name, f"{cost.parameters:,}", plus_minus(cost.seconds, 1), plus_minus(cost.epochs, 1))


def _value(found: CandidateResult | SingleResult, task: str, info: TaskInfo) -> str:
    return plus_minus(found.tasks[task].metrics[info.metric])


def _metric(info: TaskInfo) -> str:
    arrow = "↑" if info.higher_is_better else "↓"
    unit = f" [{info.unit}]" if info.unit else ""
    return escape(f"{info.metric}{unit} {arrow}")


def _verdict(change: Change | None) -> str:
    if change is None or change.verdict is None:
        return DASH
    style = _STYLES[change.verdict]
    return f"[{style}]{change.verdict}[/{style}]" if style else change.verdict
