"""A tuning as a picture: the scores in the order of the trials, and against each key's values."""

import json
import math
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from janus_core.files import replacing
from pipeline.commands.tune.result import Tuning, scored

COLUMNS, DPI = 3, 110
OTHER, BEST, FIRST = "#6b7280", "#1a7f5a", "#1f4e9c"


def plot_tuning(tuning: Tuning, path: Path) -> None:
    """Writes a PNG with a panel of the search and one per key."""
    pairs = scored(tuning.trials)
    trials, scores = [trial for trial, _ in pairs], [score for _, score in pairs]
    colours = [BEST if t.number == tuning.best else FIRST if t.number == 1 else OTHER for t in trials]
    columns = min(COLUMNS, 1 + len(tuning.space))
    rows = math.ceil((1 + len(tuning.space)) / columns)
    figure = Figure(figsize=(4.4 * columns, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    numbers = [trial.number for trial in trials]
    axes[0].step(numbers, [min(scores[: end + 1]) for end in range(len(scores))], where="post", color=BEST)
    axes[0].scatter(numbers, scores, c=colours, s=24, zorder=3)
    axes[0].set_xlabel("trial; line: the best so far")
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis, (key, range_) in zip(axes[1:], tuning.space.items(), strict=False):
        values = [trial.values.get(key) for trial in trials]
        if range_.choices is not None:
            texts = [json.dumps(value).replace('"', "") for value in values]
            names = sorted(set(texts))
            axis.set_xticks(range(len(names)), names, fontsize=7, rotation=20 if max(map(len, names)) > 12 else 0)
            values = [names.index(text) for text in texts]
        else:
            axis.set_xscale(range_.scale)
            if range_.scale == "log":
                axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axis.xaxis.set_minor_formatter(NullFormatter())
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.scatter([math.nan if value is None else value for value in values], scores, c=colours, s=24, zorder=3)
        axis.set_xlabel(key)
    for axis in axes[1 + len(tuning.space) :]:
        axis.set_axis_off()
    for axis in axes[: 1 + len(tuning.space)]:
        axis.grid(alpha=0.3)
        axis.tick_params(which="both", labelsize=7)
    for axis in axes[::columns]:
        axis.set_ylabel("score   better ↓")
    figure.suptitle(f"{tuning.pipeline}: {len(tuning.trials)} trials; blue: as it stands, green: the best", fontsize=10)
    with replacing(path) as staging:
        figure.savefig(staging, dpi=DPI, format="png")
