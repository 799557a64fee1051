"""The gates of a task: limits on its metrics, in the direction and within the range that the catalogue has."""

import math
from collections.abc import Iterator, Sequence

from pydantic import Field, model_validator

from janus_core.metrics import Metric
from janus_core.strict import NonNegative, Number, StrictModel

_WORDS = {"high": "higher", "low": "lower"}


class GateConfig(StrictModel):
    """Limits on one metric of one task; every one given must hold."""

    min: Number | None = Field(None, description="The metric must be at least this.")
    max: Number | None = Field(None, description="The metric must be at most this.")
    max_drop: NonNegative | None = Field(
        None,
        description="Where higher is better: the metric may be lower than the last blessed model's by at most this.",
    )
    max_rise: NonNegative | None = Field(
        None,
        description="Where higher is not better: the metric may be higher than the last blessed model's by at most "
        "this.",
    )

    @model_validator(mode="after")
    def _check(self) -> "GateConfig":
        if not self.rules():
            raise ValueError("a gate needs at least one of min, max, max_drop, max_rise")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}: nothing can pass")
        if self.max_drop is not None and self.max_rise is not None:
            raise ValueError("give max_drop where higher is better, or max_rise where lower is better, not both")
        return self

    def rules(self) -> dict[str, float]:
        """The limits that are set, by the rule's name."""
        return {rule: limit for rule, limit in self.model_dump().items() if limit is not None}


def gate_problems(gate: GateConfig, metric: Metric, levels: Sequence[float] = ()) -> Iterator[str]:
    """What is wrong with a metric's limits: a direction in which harm passes, or a limit outside its range.

    Args:
        gate: the limits.
        metric: which is limited.
        levels: of the quantiles that the task predicts.

    Yields:
        `<rule>: <what is wrong, and what would be right>`.
    """
    rules, name, (least, greatest) = gate.rules(), metric.name, metric.range
    if "max_drop" in rules and metric.better != "high":
        best = "lower is better" if metric.better == "low" else "which is best at one value"
        yield f"max_drop: a drop of {name} is no harm, {best}; write max_rise"
    if "max_rise" in rules and metric.better == "high":
        yield f"max_rise: a rise of {name} is no harm, higher is better; write max_drop"
    for rule in ("min", "max"):
        if rule in rules and not least <= rules[rule] <= greatest:
            hint = f"; write {rules[rule] / 100:g} for {rules[rule]:g} %" if metric.share and rules[rule] > 1 else ""
            yield f"{rule}: {rules[rule]:g} is outside the range of {name}, {_range(least, greatest)}{hint}"
    for rule in ("max_drop", "max_rise"):
        if rules.get(rule, 0.0) > greatest - least:
            yield f"{rule}: {name} cannot change by {rules[rule]:g}, its range is {_range(least, greatest)}"
    yield from _one_sided(rules, metric, levels)


def _one_sided(rules: dict[str, float], metric: Metric, levels: Sequence[float]) -> Iterator[str]:
    best = metric.best(levels)
    if best is not None:
        if rules.get("min", best) > best or rules.get("max", best) < best:
            rule = "min" if rules.get("min", best) > best else "max"
            yield f"{rule}: {rules[rule]:g} excludes {best:g}, the best {metric.name}; write a limit on its other side"
    elif metric.better in _WORDS:
        right, wrong = ("min", "max") if metric.better == "high" else ("max", "min")
        # Beside a limit on the harmful side, it bounds what is too good to be true. The range's end blocks nothing.
        if set(rules) == {wrong} and rules[wrong] not in metric.range:
            yield (
                f"{wrong}: {_WORDS[metric.better]} is better of {metric.name}, so this alone blocks the better models; "
                f"write {right}"
            )


def _range(least: float, greatest: float) -> str:
    if math.isinf(greatest):
        return f"{least:g} or above"
    return f"{greatest:g} or below" if math.isinf(least) else f"{least:g} to {greatest:g}"
