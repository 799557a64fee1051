"""A task's slices with intervals, and which of them are worse than the whole beyond chance."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from janus_core.kinds import reported_metric
from janus_core.metrics import Metric
from pipeline.report.analysis.analysis_json import TaskAnalysis

WORST = 5
"""So many slices are listed as the worst."""

Z = 1.96
"""Standard errors on either side of a 95 % interval of a normal distribution."""


@dataclass(frozen=True)
class SliceValue:
    """One slice's metric.

    Attributes:
        name: `column=value`.
        label: the value alone.
        rows: of the eval split, with a label.
        value: None where it is not defined.
        low, high: the 95 % interval; None where it cannot be computed.
        excess: how far the whole interval is on the worse side of the value of all rows, in the metric's
            unit; negative where it does not, None without an interval.
    """

    name: str
    label: str
    rows: int
    value: float | None
    low: float | None
    high: float | None
    excess: float | None

    @property
    def worse(self) -> bool:
        """Whether the slice is worse than all rows beyond chance."""
        return self.excess is not None and self.excess > 0

    @property
    def interval(self) -> str:
        """As text."""
        return interval_text(self.low, self.high)


def interval(
    metric: Metric | None, value: float | None, error: float | None, sampled: int, rows: int
) -> tuple[float | None, float | None]:
    """The 95 % interval around a value of all rows.

    Args:
        metric: one that is a share stays within 0 and 1.
        value: over `rows` rows.
        error: standard error over the `sampled` of them; it falls with the square root of the rows. An error of 0
            means that these rows are too few to estimate it, as where a handful are all wrong: there is no interval.
        sampled, rows: numbers of labelled rows.
    """
    if value is None or not error or not sampled or not rows:
        return None, None
    reach = Z * error * math.sqrt(sampled / rows)
    low, high = value - reach, value + reach
    return (max(low, 0.0), min(high, 1.0)) if metric and metric.share else (low, high)


def interval_text(low: float | None, high: float | None) -> str:
    """`0.71 – 0.73`; a dash where there is no interval."""
    return "–" if low is None or high is None else f"{low:.4g} – {high:.4g}"


def slice_values(
    metric: str, task: Mapping[str, Any], analysis: TaskAnalysis | None, slices: Sequence[Sequence[str]]
) -> dict[str, list[SliceValue]]:
    """Columns → their slices, first the one whose interval is farthest on the worse side of the value of all rows.

    So a small slice, whose interval is wide, does not lead by chance. Slices without an interval come after, by value.

    Args:
        metric: its short name.
        task: the task in report.json.
        analysis: its intervals, if there are any.
        slices: the columns that are sliced by.
    """
    known, levels = reported_metric(task, metric), task.get("quantiles") or []
    overall = task.get("metrics", {}).get(metric)
    by_columns: dict[str, list[SliceValue]] = {}
    for name, values in task.get("slices", {}).items():
        rows, value = task.get("slice_sizes", {}).get(name, 0), values.get(metric)
        error = analysis.slice_errors.get(name, {}).get(metric) if analysis else None
        sampled = analysis.slice_rows.get(name, 0) if analysis else 0
        low, high = interval(known, value, error, sampled, rows)
        excess = _excess(known, levels, low, high, overall)
        columns, label = split_name(name, slices)
        by_columns.setdefault(columns, []).append(SliceValue(name, label, rows, value, low, high, excess))
    for values_found in by_columns.values():
        values_found.sort(key=lambda one: (*_rank(one), -_badness(known, levels, one.value), one.name))
    return by_columns


def worst_slices(by_columns: Mapping[str, Sequence[SliceValue]], count: int = WORST) -> list[SliceValue]:
    """Of all columns' slices, those that are worse than all rows beyond chance, the farthest first."""
    worse = [one for slices in by_columns.values() for one in slices if one.worse]
    return sorted(worse, key=_rank)[:count]


def _rank(one: SliceValue) -> tuple[bool, bool, float]:
    return one.value is None, one.excess is None, -(one.excess or 0.0)


def _excess(
    metric: Metric | None, levels: Sequence[float], low: float | None, high: float | None, overall: float | None
) -> float | None:
    """How far the whole interval is on the worse side of `overall`: below it, above it, or farther from the best."""
    if metric is None or low is None or high is None or overall is None:
        return None
    least, of_all = metric.least_badness(low, high, levels), metric.badness(overall, levels)
    return None if least is None or of_all is None else least - of_all


def _badness(metric: Metric | None, levels: Sequence[float], value: float | None) -> float:
    return (metric.badness(value, levels) or 0.0) if metric and value is not None else 0.0


def split_name(name: str, slices: Sequence[Sequence[str]]) -> tuple[str, str]:
    """`a=1,b=2` → `a, b` and `1, 2`, by the columns that are sliced by: names and values may hold anything."""
    for columns in sorted(slices, key=len):
        ordered = sorted(columns)
        pattern = ",".join(f"{re.escape(column)}=(.*)" for column in ordered)
        match = re.fullmatch(pattern, name, re.DOTALL)
        if match:
            return ", ".join(ordered), ", ".join(match.groups())
    return "slice", name
