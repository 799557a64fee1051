"""Plots of a training: losses, metrics, task weights and gates over the epochs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from trainer.names import log_name

COLUMNS, DPI = 4, 110
WIDE_RANGE = 20.0
"""From this ratio between the largest and the least value a panel has a logarithmic scale."""
NARROW_RANGE = 1e-4
"""An axis spans at least this share of its values, so that rounding does not look like movement."""
WEIGHTS = "weight of each task's loss"
CONFLICTS = "share of steps with a conflict"

History = Sequence[Mapping[str, float | None]]
"""Every epoch's values by name; None where one was not finite."""


@dataclass
class Panel:
    """Lines over the epochs that share their axes."""

    title: str
    lines: dict[str, list[float]] = field(default_factory=dict)
    share: bool = False


def draw_training(history: History, tasks: Sequence[str], path: Path) -> None:
    """Writes a PNG of a training's history, with a panel for each quantity.

    Per task its training and validation loss and its headline metric; then the tasks' weights, and the share of steps
    in which their gradients conflicted, where the balancing knows it; then each gate's mean weights of its experts.

    Args:
        history: the epochs, not empty.
        tasks: the tasks' names.
        path: the file to write.
    """
    panels = training_panels(history, tasks)
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(3.8 * columns, 2.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        draw_panel(axis, panel)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    figure.savefig(path, dpi=DPI)


def training_panels(history: History, tasks: Sequence[str]) -> list[Panel]:
    names = list(dict.fromkeys(name for epoch in history for name in epoch))
    panels: dict[str, Panel] = {}
    for name in names:
        place = _place(name, tasks)
        if place is not None:
            title, label, share = place
            values = [epoch.get(name) for epoch in history]
            panel = panels.setdefault(title, Panel(title, share=share))
            panel.lines[label] = [math.nan if value is None else value for value in values]
    # One task's weight is its prior and never moves.
    if len(tasks) == 1:
        panels.pop(WEIGHTS, None)
    return sorted(panels.values(), key=lambda panel: _rank(panel.title, tasks))


def _place(name: str, tasks: Sequence[str]) -> tuple[str, str, bool] | None:
    """The panel that a value belongs to, its label there, and whether it is a share; None for one not shown."""
    validation = name.startswith("val_")
    name = name.removeprefix("val_")
    gate, is_gate, expert = name.partition("_gate/")
    if is_gate:
        owner = next((task for task in tasks if log_name(task) == gate), gate)
        return f"{owner}: gate", expert, True
    owners = [task for task in tasks if name.startswith(f"{log_name(task)}_")]
    if not owners:
        return None
    task = max(owners, key=lambda owner: len(log_name(owner)))
    what = name.removeprefix(f"{log_name(task)}_")
    if what == "loss":
        return f"{task}: loss", "validation" if validation else "training", False
    if validation:
        return f"{task}: {what}", "validation", False
    if what == "weight":
        return WEIGHTS, task, False
    return (CONFLICTS, task, True) if what == "conflict" else None


def _rank(title: str, tasks: Sequence[str]) -> tuple[int, int]:
    """Losses and metrics by task, then weights, conflicts, gates."""
    if title in (WEIGHTS, CONFLICTS):
        return 1, (WEIGHTS, CONFLICTS).index(title)
    task, _, what = title.partition(": ")
    if what == "gate":
        return 2, tasks.index(task) if task in tasks else len(tasks)
    return 0, 2 * tasks.index(task) + (what != "loss")


def draw_panel(axis: Axes, panel: Panel) -> None:
    for label, values in panel.lines.items():
        axis.plot(range(1, len(values) + 1), values, marker="o", markersize=3, linewidth=1.2, label=label)
    axis.set_title(panel.title, fontsize=10)
    axis.set_xlabel("epoch", fontsize=8)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
    values = [value for line in panel.lines.values() for value in line if math.isfinite(value)]
    if panel.share:
        axis.set_ylim(0, 1)
    elif values and min(values) > 0 and max(values) > WIDE_RANGE * min(values):
        axis.set_yscale("log")
        # Matplotlib's own labels are TeX, which a page cannot show.
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    elif values:
        # Values in full: an offset above the axis ("+1") is overlooked.
        axis.ticklabel_format(axis="y", useOffset=False)
        least = NARROW_RANGE * max(abs(min(values)), abs(max(values)))
        if 0 < max(values) - min(values) < least:
            middle = (max(values) + min(values)) / 2
            axis.set_ylim(middle - least / 2, middle + least / 2)
    if len(panel.lines) > 1:
        axis.legend(fontsize=7)
