"""Judges a model by its gates, from the Evaluator's metrics."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from pydantic import Field

from components.evaluator.result import LABELLED_COUNT, ChangeErrors, MetricKey, Metrics, columns_of, slice_name
from janus_core.metrics import Rule, Scope
from janus_core.strict import StrictModel

Values = TypeVar("Values", float, np.ndarray)

SLICES_NAMED = 5
"""So many slices that fail are named."""


class Gate(StrictModel):
    """One limit on one metric of a task."""

    task: str
    metric: str
    output: str = Field(description="The model's output that the metric is computed from.")
    rule: Rule
    limit: float
    best: float | None = Field(None, description="The metric's best value, where neither higher nor lower is better.")
    over: Scope = "rows"
    columns: list[str] = Field([], description="What the slices are by.")
    min_rows: int = Field(1, description="The labelled rows from which on a slice is judged.")
    confidence: float | None = Field(
        None, description="How sure it must be that the change is beyond the limit; None: noise is not considered."
    )

    @property
    def by_tfma(self) -> bool:
        """Whether TFMA's own validation judges it."""
        plain = self.best is None and self.confidence is None
        return self.over == "rows" and (plain or self.rule in ("min", "max"))

    @property
    def changing(self) -> str:
        """The name, in changes.json, of what the gate limits the change of."""
        return self.metric if self.best is None else f"{self.metric} from {self.best:g}"


class Gates(StrictModel):
    """All gates of a model, as the Evaluator is given them."""

    gates: list[Gate] = []
    seed: int = Field(0, description="Of the replicas that show how uncertain changes are.")


class GateResult(StrictModel):
    """One limit on one metric, and whether the model keeps it.

    `value` and `baseline` are the metric's values of this model and of the baseline; None where undefined. Of
    a gate on slices, `value` is that of the worst one, of a gap their largest difference.
    """

    metric: str
    rule: Rule
    limit: float
    value: float | None
    passed: bool
    baseline: float | None = None
    note: str | None = None
    confidence: float | None = Field(None, description="With which a change must be beyond the limit to fail.")
    standard_error: float | None = Field(None, description="Of the change since the baseline.")
    slices: str | None = Field(None, description="The columns whose slices are judged one by one.")
    gap: str | None = Field(None, description="The columns between whose slices the difference is judged.")
    slice: str | None = Field(None, description="The slice with the worst value; of a gap, the two farthest apart.")


def judge(gate: Gate, metrics: Metrics, errors: ChangeErrors) -> GateResult:
    """Whether a model passes a gate. One that cannot be judged is not passed, except for want of a baseline.

    With a confidence, a change fails if the lower end of its one-sided interval is beyond the limit: of models that are
    exactly as much worse as the limit allows, the share 1 - confidence fails, and of better ones fewer.
    """
    if gate.over != "rows":
        return _judge_slices(gate, metrics)
    overall, key = metrics.get((), {}), MetricKey(gate.output, gate.metric)
    value = _finite(overall.get(key))
    if gate.rule in ("min", "max"):
        if value is None:
            return _result(gate, value, False, note=f"{gate.metric} is not defined for this model")
        return _result(gate, value, value >= gate.limit if gate.rule == "min" else value <= gate.limit)
    if not any(known.baseline and known.output == gate.output for known in overall):
        return _result(gate, value, True, note="there is no baseline with this task to compare with yet")
    before = _finite(overall.get(MetricKey(gate.output, gate.metric, baseline=True)))
    if value is None or before is None:
        whose = "this model" if value is None else "the baseline"
        return _result(gate, value, False, baseline=before, note=f"{gate.metric} is not defined for {whose}")
    change = harm(gate, value, before)
    if gate.confidence is None:
        return _result(gate, value, change <= gate.limit, baseline=before)
    rows = int(overall.get(MetricKey(gate.task, LABELLED_COUNT), 0))
    error = errors.error(gate.output, gate.changing, rows)
    reach = NormalDist().inv_cdf(gate.confidence) * (error or 0.0)
    unknown = "the noise of the change cannot be estimated, so none is allowed for"
    passed, note = change - reach <= gate.limit, unknown if error is None else None
    result = _result(gate, value, passed, baseline=before, note=note)
    return result.model_copy(update={"confidence": gate.confidence, "standard_error": error})


def harm(gate: Gate, value: Values, before: Values) -> Values:
    """How far a metric has moved in the direction that a gate on its change limits, of a value or of each of many."""
    if gate.best is not None:
        return abs(value - gate.best) - abs(before - gate.best)
    return before - value if gate.rule == "max_drop" else value - before


def _judge_slices(gate: Gate, metrics: Metrics) -> GateResult:
    key, count = MetricKey(gate.output, gate.metric), MetricKey(gate.task, LABELLED_COUNT)
    columns = tuple(sorted(gate.columns))
    sliced = {of_slice: inside for of_slice, inside in metrics.items() if columns_of(of_slice) == columns}
    rows = {slice_name(of_slice): int(inside.get(count, 0)) for of_slice, inside in sliced.items()}
    values = {slice_name(of_slice): _finite(inside.get(key)) for of_slice, inside in sliced.items()}
    judged = {name: values[name] for name in sorted(values) if rows[name] >= gate.min_rows}
    defined = {name: value for name, value in judged.items() if value is not None}
    needed = 1 if gate.over == "slices" else 2
    if len(judged) < needed:
        return _result(gate, None, False, note=_too_few(gate, len(judged), rows))
    if len(defined) < len(judged):
        missing = ", ".join(name for name in judged if name not in defined)
        undefined = f"{gate.metric} is not defined in {missing}; a higher min_rows leaves small slices out"
        return _result(gate, None, False, note=undefined)
    low, high = min(defined, key=lambda name: defined[name]), max(defined, key=lambda name: defined[name])
    if gate.over == "gap":
        gap = defined[high] - defined[low]
        return _result(gate, gap, gap <= gate.limit, slice=f"{high}, {low}")
    worst = low if gate.rule == "min" else high
    failed = [n for n, v in defined.items() if (v < gate.limit if gate.rule == "min" else v > gate.limit)]
    named = ", ".join(failed[:SLICES_NAMED]) + (", …" if len(failed) > SLICES_NAMED else "")
    note = f"{len(failed)} of {len(defined)} slices fail: {named}" if len(failed) > 1 else None
    return _result(gate, defined[worst], not failed, slice=worst, note=note)


def _too_few(gate: Gate, judged: int, rows: Mapping[str, int]) -> str:
    largest = f"; the largest has {max(rows.values())}" if rows else ""
    which = "no slice" if not judged else "only one slice, and a gap is between two,"
    return f"{which} by {by(gate.columns)} has at least {gate.min_rows} labelled rows (min_rows){largest}"


def by(columns: Sequence[str]) -> str:
    """The columns of slices, as in the configuration."""
    return ",".join(columns)


def _result(
    gate: Gate,
    value: float | None,
    passed: bool,
    baseline: float | None = None,
    note: str | None = None,
    slice: str | None = None,
) -> GateResult:
    return GateResult(
        metric=gate.metric,
        rule=gate.rule,
        limit=gate.limit,
        value=value,
        passed=passed,
        baseline=baseline,
        note=note,
        slices=by(gate.columns) if gate.over == "slices" else None,
        gap=by(gate.columns) if gate.over == "gap" else None,
        slice=slice,
    )


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
