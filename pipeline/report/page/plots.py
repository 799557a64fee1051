"""The report's plots, each with a sentence that says what it shows and the numbers that it is drawn from."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from scipy.integrate import trapezoid

from pipeline.report.analysis.analysis_json import ClassAnalysis, Confusion, Grid, Histogram, Importance, TaskAnalysis
from pipeline.report.analysis.slices import SliceValue
from pipeline.report.page.svg import ACCENT, HEIGHT, QUIET, SERIES, TEXT, WRONG, shown
from pipeline.report.training_plots import Panel, draw_panel, training_panels
from pipeline.report.wording import number

MOST_BARS = 24


@dataclass(frozen=True)
class Plot:
    """A plot as the page shows it.

    Attributes:
        key: unique on the page.
        text: what it shows, in a sentence.
        height: in inches, see `svg.draw`.
        header, rows: the numbers that it is drawn from.
        tall: whether its height depends on the number of rows.
    """

    key: str
    title: str
    text: str
    paint: Callable[[Axes], None]
    height: float
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    tall: bool = False


def training_plots(history: Sequence[Mapping[str, float | None]], tasks: Sequence[str]) -> dict[str, list[Plot]]:
    """Task → its losses, metrics and gate; "" → what is of all tasks."""
    plots: dict[str, list[Plot]] = {"": [], **{task: [] for task in tasks}}
    for place, panel in enumerate(training_panels(history, tasks)):
        owner, _, _ = panel.title.partition(": ")
        plots[owner if owner in plots else ""].append(_training(f"t{place}", panel))
    return plots


def task_plots(key: str, name: str, task: Mapping[str, Any], analysis: TaskAnalysis) -> list[Plot]:
    """Whichever apply to the task's kind."""
    unit = f" [{shown(task['unit'])}]" if task.get("unit") else ""
    plots = []
    curved = [one for one in analysis.classes if one.true_positive_rate]
    if analysis.classes:
        plots.append(_calibration(f"{key}-cal", analysis.classes))
    if curved:
        plots.append(_roc(f"{key}-roc", curved))
        plots.append(_precision_recall(f"{key}-pr", curved))
    if analysis.confusion:
        plots.append(_confusion(f"{key}-conf", analysis.confusion))
    if analysis.residuals:
        plots.append(_residuals(f"{key}-res", analysis.residuals, unit))
    if analysis.predicted_true:
        plots.append(_predicted_true(f"{key}-pt", analysis.predicted_true, unit))
    if analysis.coverage:
        plots.append(_coverage(f"{key}-cov", [(c.level, c.share) for c in analysis.coverage]))
    return plots


def baselines_plot(key: str, metrics: Mapping[str, float | None], baselines: Mapping[str, Mapping[str, Any]]) -> Plot:
    """The network's value as a line, and each simple model's with the interval of the difference around it."""
    models = {name: one for name, one in baselines.items() if one["value"] is not None}
    metric = next(iter(models.values()))["metric"]
    network = metrics.get(metric)

    def paint(axis: Axes) -> None:
        for place, one in enumerate(models.values()):
            colour = WRONG if one["network_is"] == "worse" else SERIES[0]
            axis.plot([one["value"]], [place], color=colour, marker="o", markersize=6)
            if network is not None and one["low"] is not None:
                axis.plot([network - one["high"], network - one["low"]], [place, place], color=colour, linewidth=2)
        if network is not None:
            axis.axvline(network, color=TEXT, linewidth=1.2, linestyle="--", label="network")
            axis.legend(loc="best")
        _name_bars(axis, list(models), metric)

    return Plot(
        key,
        "Beside simple models",
        f"{metric} of the network ({number(network)}, the dashed line) and of simple models on the same rows, with the "
        "95 % interval of the difference. Where it does not reach the line, the difference is beyond chance.",
        paint,
        0.9 + 0.35 * len(models),
        ("model", metric),
        [("network", number(network)), *((name, number(one["value"])) for name, one in models.items())],
    )


def importance_plot(key: str, metric: str, base: float | None, importance: Sequence[Importance]) -> Plot:
    """How much worse the metric becomes without each column; those within chance are in the table alone."""
    needed = [b for b in importance if b.beyond_chance]
    bars, rest = needed[:MOST_BARS], [b.column for b in importance if not b.beyond_chance]

    def paint(axis: Axes) -> None:
        worse, spread = [bar.worse for bar in bars], [bar.spread for bar in bars]
        axis.barh(range(len(bars)), worse, xerr=spread, color=SERIES[0], ecolor=QUIET, height=0.65)
        _name_bars(axis, [shown(bar.column) for bar in bars], f"{metric} is worse by")
        axis.axvline(0, color=QUIET, linewidth=0.8)

    text = "Most: " + ", ".join(f"{b.column} ({b.worse:.3g})" for b in needed[:3]) + "."
    if not needed:
        text = "No column makes a difference beyond chance."
    elif rest:
        text += f" No difference beyond chance: {', '.join(rest[:6])}"
        text += f" and {len(rest) - 6} more." if len(rest) > 6 else "."
    of = "" if base is None else f", which is {base:.4g} on these rows"
    return Plot(
        key,
        "Permutation importance",
        f"How much worse {metric}{of}, becomes when a column's values change rows. {text}",
        paint,
        1.0 + 0.2 * len(bars),
        ("column", f"{metric} worse by", "spread"),
        [
            (b.column, *((f"{b.worse:.4g}", f"{b.spread:.2g}") if b.beyond_chance else ("within chance", "")))
            for b in importance
        ],
        tall=True,
    )


def slices_plot(key: str, columns: str, metric: str, overall: float | None, slices: Sequence[SliceValue]) -> Plot:
    """The metric of each slice by a column, in the order of `slice_values`, with its interval and rows."""
    bars = list(slices[:MOST_BARS])

    def paint(axis: Axes) -> None:
        places = np.arange(len(bars))
        values = [bar.value if bar.value is not None else math.nan for bar in bars]
        colours = [WRONG if bar.worse else SERIES[0] for bar in bars]
        axis.barh(places, values, color=colours, height=0.65, alpha=0.85)
        for place, bar in zip(places, bars, strict=True):
            if bar.low is not None and bar.high is not None:
                axis.plot([bar.low, bar.high], [place, place], color=TEXT, linewidth=1.4, linestyle="-")
        if overall is not None:
            axis.axvline(overall, color=QUIET, linewidth=1.2, linestyle="--", label="all rows")
            axis.legend(loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)
        _name_bars(axis, [f"{shown(bar.label)}  n = {bar.rows:,}" for bar in bars], metric)

    worse = [bar for bar in slices if bar.worse]
    text = f"{metric} by {columns}, those worse beyond chance first"
    text += f"; {len(slices) - len(bars)} more are in the table" if len(slices) > len(bars) else ""
    if overall is not None:
        text += f". All rows: {overall:.4g}. "
        text += (
            "Worse than that beyond chance: " + ", ".join(f"{bar.label} ({bar.value:.4g})" for bar in worse[:5])
            if worse
            else "None is worse than that beyond chance"
        )
    return Plot(
        key,
        f"By {columns}",
        f"{text}.",
        paint,
        1.0 + 0.2 * len(bars),
        (columns, "rows", metric, "95 % interval"),
        [(bar.label, f"{bar.rows:,}", number(bar.value), bar.interval) for bar in slices],
        tall=True,
    )


def _name_bars(axis: Axes, names: Sequence[str], label: str) -> None:
    """Names horizontal bars, the first of which is at the top."""
    axis.set_yticks(range(len(names)), names)
    axis.set(ylim=(len(names) - 0.4, -0.6), xlabel=label)
    axis.grid(axis="x")


# --- training ---------------------------------------------------------------------------------------------------


def _training(key: str, panel: Panel) -> Plot:
    last = ", ".join(f"{label} {number(values[-1])}" for label, values in panel.lines.items())

    def paint(axis: Axes) -> None:
        safe = Panel("", {shown(label): values for label, values in panel.lines.items()}, panel.share)
        draw_panel(axis, safe)
        axis.grid(alpha=1.0)

    epochs = max(len(values) for values in panel.lines.values())
    return Plot(
        key,
        panel.title.partition(": ")[2] or panel.title,
        f"Over {epochs} epoch{'s' * (epochs != 1)}; at the end: {last}.",
        paint,
        HEIGHT,
        ("epoch", *panel.lines),
        [(str(e + 1), *(number(values[e]) for values in panel.lines.values())) for e in range(epochs)],
    )


# --- classes ----------------------------------------------------------------------------------------------------


def _calibration(key: str, classes: Sequence[ClassAnalysis]) -> Plot:
    def paint(axis: Axes) -> None:
        lines = [
            (shown(one.name), [b.predicted for b in one.calibration], [b.observed for b in one.calibration])
            for one in classes
        ]
        _curves(axis, lines, "predicted probability", "share observed", marker="o", markersize=3.5, linewidth=1.3)

    gap = max(
        ((abs(b.predicted - b.observed), one.name, b) for one in classes for b in one.calibration),
        key=lambda item: item[0] * item[2].weight,
    )
    return Plot(
        key,
        "Calibration",
        f"Probabilities in tenths beside what was observed; the dotted line is perfect. The gap that counts most: "
        f"{gap[1]}, predicted {gap[2].predicted:.3f}, observed {gap[2].observed:.3f}.",
        paint,
        HEIGHT,
        ("class", "predicted", "observed", "weight"),
        [
            (one.name, f"{b.predicted:.3f}", f"{b.observed:.3f}", f"{b.weight:,.6g}")
            for one in classes
            for b in one.calibration
        ],
    )


def _roc(key: str, classes: Sequence[ClassAnalysis]) -> Plot:
    def paint(axis: Axes) -> None:
        lines = [(shown(one.name), one.false_positive_rate, one.true_positive_rate) for one in classes]
        _curves(axis, lines, "false positive rate", "true positive rate", linewidth=1.4)

    areas = [(c.name, float(trapezoid(c.true_positive_rate, c.false_positive_rate))) for c in classes]
    named = ", ".join(f"{name} {area:.3f}" for name, area in areas)
    return Plot(
        key,
        "ROC",
        f"Each class against the others; the dotted line is guessing. Area: {named}.",
        paint,
        HEIGHT,
        ("class", "area", *(f"TPR at FPR {rate}" for rate in (0.05, 0.1, 0.2, 0.5))),
        [
            (c.name, f"{area:.4f}", *(f"{c.true_positive_rate[place]:.3f}" for place in (5, 10, 20, 50)))
            for c, (_, area) in zip(classes, areas, strict=True)
        ],
    )


def _precision_recall(key: str, classes: Sequence[ClassAnalysis]) -> Plot:
    def paint(axis: Axes) -> None:
        lines = [(shown(one.name), one.recall, one.precision) for one in classes]
        _curves(axis, lines, "recall", "precision", diagonal=False, linewidth=1.4)

    shares = ", ".join(f"{one.name} {one.share:.3f}" for one in classes)
    return Plot(
        key,
        "Precision and recall",
        f"Each class against the others. Guessing has a precision of the class's share: {shares}.",
        paint,
        HEIGHT,
        ("class", "share", *(f"precision at recall {recall}" for recall in (0.1, 0.25, 0.5, 0.75))),
        [(c.name, f"{c.share:.4f}", *(f"{c.precision[place]:.3f}" for place in (9, 24, 49, 74))) for c in classes],
    )


def _curves(
    axis: Axes,
    lines: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    x_label: str,
    y_label: str,
    diagonal: bool = True,
    **style: Any,
) -> None:
    """Draws lines between 0 and 1, each a label, x and y; those without a label are not in the legend."""
    if diagonal:
        axis.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    for label, x, y in lines:
        axis.plot(x, y, label=label, **style)
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x_label, ylabel=y_label)
    axis.grid()
    if any(label for label, *_ in lines):
        axis.legend(loc="best")


def _confusion(key: str, confusion: Confusion) -> Plot:
    counts = np.array(confusion.counts)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    size = len(confusion.classes)

    def paint(axis: Axes) -> None:
        for row in range(size):
            for column in range(size):
                _cell(axis, column, row, float(shares[row, column]))
                axis.text(column, row, _percent(shares[row, column]), ha="center", va="center", fontsize=8.5)
        names = [shown(name) for name in confusion.classes]
        axis.set_xticks(range(size), names, rotation=0 if size < 5 else 60)
        axis.set_yticks(range(size), names)
        axis.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xlabel="predicted", ylabel="label")
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)

    right = ", ".join(
        f"{name} {_percent(shares[i, i])}" for i, name in enumerate(confusion.classes) if totals[i, 0] > 0
    )
    return Plot(
        key,
        "Confusion matrix",
        f"Of each label's rows, the share predicted as each class. Right: {right}.",
        paint,
        max(3.0, 1.0 + 0.4 * size),
        ("label \\ predicted", *confusion.classes),
        [
            (name, *(f"{count:,.6g}" for count in row))
            for name, row in zip(confusion.classes, confusion.counts, strict=True)
        ],
    )


def _cell(axis: Axes, x: float, y: float, share: float, size: float = 1.0, strongest: float = 0.6) -> None:
    side = 0.94 * size
    # Text on it keeps its contrast.
    alpha = 0.04 + (strongest - 0.04) * share
    corner = (x - side / 2, y - side / 2)
    axis.add_patch(Rectangle(corner, side, side, facecolor=ACCENT, alpha=alpha, linewidth=0))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


# --- numbers ----------------------------------------------------------------------------------------------------


def _residuals(key: str, histogram: Histogram, unit: str) -> Plot:
    edges, counts = np.array(histogram.edges), np.array(histogram.counts)
    shares = counts / (counts.sum() or 1.0)

    def paint(axis: Axes) -> None:
        axis.bar(edges[:-1], shares, np.diff(edges), align="edge", color=SERIES[0], alpha=0.85)
        axis.axvline(0, color=TEXT, linewidth=1.2, linestyle="--")
        axis.set(xlabel=f"prediction − label{unit}", ylabel="share of rows")
        axis.grid(axis="y")

    above = float(shares[(edges[:-1] + edges[1:]) / 2 > 0].sum())
    middle = float(np.interp(0.5, np.cumsum(shares), edges[1:]))
    return Plot(
        key,
        "Residuals",
        f"Prediction minus label{unit}. Median {middle:.3g}; {_percent(above)} of the rows are predicted too high.",
        paint,
        HEIGHT,
        ("from", "to", "share"),
        [
            (f"{low:.4g}", f"{high:.4g}", _percent(share))
            for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
        ],
    )


def _predicted_true(key: str, grid: Grid, unit: str) -> Plot:
    edges, counts = np.array(grid.edges), np.array(grid.counts)
    centres = (edges[:-1] + edges[1:]) / 2
    strength = np.log1p(counts) / (np.log1p(counts).max() or 1.0)
    step = edges[1] - edges[0]

    def paint(axis: Axes) -> None:
        for row, column in zip(*np.nonzero(counts), strict=True):
            _cell(axis, centres[row], centres[column], float(strength[row, column]), step, 1.0)
        axis.plot([edges[0], edges[-1]], [edges[0], edges[-1]], color=TEXT, linewidth=1.1, linestyle="--")
        range_ = edges[0], edges[-1]
        axis.set(xlim=range_, ylim=range_, xlabel=f"predicted{unit}", ylabel=f"label{unit}")
        axis.xaxis.set_major_locator(MaxNLocator(6))
        axis.grid()

    totals = counts.sum(axis=1)
    rows = [
        (f"{edges[i]:.4g} – {edges[i + 1]:.4g}", f"{totals[i]:,.6g}", f"{counts[i] @ centres / totals[i]:.4g}")
        for i in range(len(totals))
        if totals[i] > 0
    ]
    return Plot(
        key,
        "Predicted and true",
        "Darker: more rows (logarithmic). On the dashed line a prediction is right. The outermost cells also hold what "
        "is beyond them.",
        paint,
        3.4,
        (f"predicted{unit}", "rows", "mean label"),
        rows,
    )


def _coverage(key: str, levels: Sequence[tuple[float, float]]) -> Plot:
    def paint(axis: Axes) -> None:
        lines = [("", [level for level, _ in levels], [share for _, share in levels])]
        _curves(axis, lines, "quantile's level", "share of labels at or below it", marker="o", markersize=4)

    shares = ", ".join(f"{level:g}: {share:.3f}" for level, share in levels)
    return Plot(
        key,
        "Calibration of the quantiles",
        f"Labels at or below each predicted quantile; the dotted line is perfect. {shares}.",
        paint,
        HEIGHT,
        ("level", "share at or below"),
        [(f"{level:g}", f"{share:.4f}") for level, share in levels],
    )
