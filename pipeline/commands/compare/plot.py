"""A comparison as a picture."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pipeline.commands.compare.comparison import Change, Comparison, Estimate
from pipeline.commands.compare.table import EQUAL_NAME, SINGLE_NAME

COLOURS = {"shares well": "#1a7f5a", "neutral": "#6b7280", "negative transfer": "#b3261e"}
SINGLE_COLOUR, DPI = "#1f4e9c", 130


def plot_tasks(comparison: Comparison, path: Path) -> None:
    """A panel per task: each network's headline metric, mean and standard error, and a faint dot per seed."""
    names = [result.name for result in comparison.candidates]
    rows = [*names, EQUAL_NAME, SINGLE_NAME]
    figure = Figure(figsize=(len(comparison.tasks) * 5.0, 1.6 + 0.36 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(comparison.tasks), sharey=True, squeeze=False)[0]
    for panel, (task, info) in zip(panels, comparison.tasks.items(), strict=True):
        single = comparison.single.tasks[task].metrics[info.metric]
        if single.mean is not None:
            panel.axvline(single.mean, color=SINGLE_COLOUR, linewidth=1, linestyle="--", zorder=0)
        for row, result in enumerate(comparison.candidates):
            _dots(panel, row, result.tasks[task].metrics[info.metric], _colour(result.changes[task].single))
        equal = comparison.equal.tasks[task].metrics[info.metric]
        _dots(panel, len(names), equal, SINGLE_COLOUR)
        _dots(panel, len(names) + 1, single, SINGLE_COLOUR)
        unit = f" [{info.unit}]" if info.unit else ""
        direction = "→ better" if info.higher_is_better else "better ←"
        panel.set(xlabel=f"{info.metric}{unit}   {direction}", title=task)
        panel.grid(axis="x", alpha=0.25)
        panel.locator_params(axis="x", nbins=5)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    seeds = len(comparison.seeds)
    title = f"{comparison.pipeline}: mean ± standard error over {seeds} seed{'s' if seeds > 1 else ''}"
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=DPI)


def plot_ranking(comparison: Comparison, path: Path) -> None:
    """Δm of every multi-task network with its interval."""
    found = [(result, result.delta_m) for result in comparison.candidates if result.delta_m is not None]
    figure = Figure(figsize=(8.0, 1.6 + 0.34 * len(found)), layout="constrained")
    panel = figure.subplots()
    panel.axvline(0.0, color=SINGLE_COLOUR, linewidth=1, linestyle="--")
    for row, (_, change) in enumerate(found):
        panel.barh(row, 100 * change.mean, color=_colour(change), alpha=0.75, height=0.65)
        if change.low is not None and change.high is not None:
            panel.plot([100 * change.low, 100 * change.high], [row, row], color="black", linewidth=1.2)
    labels = [f"{result.name}{' (yours)' if result.own else ''}" for result, _ in found]
    panel.set_yticks(range(len(found)), labels)
    panel.set_ylim(len(found) - 0.5, -0.5)
    panel.set_xlabel(f"Δm against single-task networks [%], {comparison.confidence:.0%} interval   → better")
    panel.grid(axis="x", alpha=0.25)
    seeds = len(comparison.seeds)
    figure.suptitle(f"{comparison.pipeline}: mean over {seeds} seed{'s' if seeds > 1 else ''}", fontsize=10)
    figure.savefig(path, dpi=DPI)


def _dots(panel: Any, row: int, found: Estimate, colour: str) -> None:
    known = [value for value in found.values if value is not None]
    panel.plot(known, [row] * len(known), "o", color=colour, alpha=0.25, markersize=4, markeredgewidth=0)
    if found.mean is not None:
        error = found.standard_error or 0.0
        panel.errorbar(found.mean, row, xerr=error, fmt="o", color=colour, markersize=6, capsize=3)


def _colour(change: Change | None) -> str:
    return COLOURS[change.verdict] if change and change.verdict else COLOURS["neutral"]
