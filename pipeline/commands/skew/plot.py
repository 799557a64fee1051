"""The distances as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from pipeline.drift import FeatureSkew

OK, SKEWED, UNJUDGED = "#1a7f5a", "#b3261e", "#6b7280"


def plot_skew(features: Sequence[FeatureSkew], path: Path) -> None:
    """A bar per column, the greatest distance first; a stroke at its threshold."""
    found = sorted(features, key=lambda one: -(one.distance or 0.0))
    figure = Figure(figsize=(8.0, 1.4 + 0.32 * len(found)), layout="constrained")
    panel = figure.subplots()
    for row, one in enumerate(found):
        colour = SKEWED if one.skewed else UNJUDGED if one.threshold is None else OK
        panel.barh(row, one.distance or 0.0, color=colour, alpha=0.8, height=0.65)
        if one.threshold is not None:
            panel.plot([one.threshold] * 2, [row - 0.4, row + 0.4], color="black", linewidth=1.5)
    panel.set_yticks(range(len(found)), [f"{one.column} ({one.measure})" for one in found])
    panel.set_ylim(len(found) - 0.5, -0.5)
    panel.set_xlabel("distance of served rows from the training split; strokes: thresholds")
    panel.grid(axis="x", alpha=0.25)
    figure.savefig(path, dpi=110)
