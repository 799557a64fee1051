"""The gates of a task: limits on its metrics, in the direction and within the range that the catalogue has."""

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from janus_core.metrics import Metric, Rule, Scope
from janus_core.strict import Count, NonNegative, Number, StrictModel

FEWEST_ROWS = 100
"""With fewer labelled rows, a slice's metric is mostly chance."""

_SECTIONS = ("slices", "gap")
_VALUES: tuple[Rule, ...] = ("min", "max")
_CHANGES: tuple[Rule, ...] = ("max_drop", "max_rise")
_WORDS = {"high": "higher", "low": "lower"}


class ChangeLimit(StrictModel):
    """A limit on a change that only counts as broken if noise does not explain it."""

    limit: NonNegative = Field(description="The change may be at most this.")
    confidence: Annotated[Number, Field(ge=0.5, lt=1)] = Field(
        0.9,
        description="The gate fails only if it is this sure that the change is beyond the limit, by a paired bootstrap "
        "over the evaluated rows.",
    )


def _form(value: Any) -> str:
    return "section" if isinstance(value, Mapping | ChangeLimit) else "number"


Change = Annotated[Annotated[NonNegative, Tag("number")] | Annotated[ChangeLimit, Tag("section")], Discriminator(_form)]
"""A limit on a change: a number, or a section with its confidence."""


class GateConfig(StrictModel):
    """Limits on one metric of one task; every one given must hold."""

    min: Number | None = Field(None, description="The metric must be at least this.")
    max: Number | None = Field(None, description="The metric must be at most this.")
    max_drop: Change | None = Field(
        None,
        description="Where higher is better: the metric may be lower than the baseline's by at most this.",
    )
    max_rise: Change | None = Field(
        None,
        description="Where higher is not better: the metric may be higher than the baseline's by at most "
        "this; where it is best at one value, as `bias` at 0, its distance from it may be larger by at most this.",
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

    def rules(self) -> dict[Rule, float]:
        """The limits that are set, by the rule's name."""
        changes = {rule: getattr(change, "limit", change) for rule, change in self._changes().items()}
        return _given(min=self.min, max=self.max, **changes)

    def confidence(self, rule: Rule) -> float | None:
        """How sure it must be that a limit is broken; None of a plain number."""
        return getattr(self._changes().get(rule), "confidence", None)

    def _changes(self) -> dict[str, Any]:
        return {"max_drop": self.max_drop, "max_rise": self.max_rise}


class SliceGate(StrictModel):
    """Limits on one metric in each slice; every one given must hold in every slice that has enough rows."""

    min: Number | None = Field(None, description="The metric of each slice must be at least this.")
    max: Number | None = Field(None, description="The metric of each slice must be at most this.")
    min_rows: Count = Field(
        FEWEST_ROWS,
        description="Slices with fewer labelled rows are not judged. If no slice has as many, the gate fails.",
    )

    @model_validator(mode="after")
    def _check(self) -> "SliceGate":
        if not self.rules():
            raise ValueError("a gate on slices needs at least one of min, max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}: nothing can pass")
        return self

    def rules(self) -> dict[Rule, float]:
        """The limits that are set, by the rule's name."""
        return _given(min=self.min, max=self.max)


class GapGate(StrictModel):
    """A limit on how far one metric may differ between slices."""

    max: NonNegative = Field(
        description="The largest less the smallest value of the metric among the slices must be at most this."
    )
    min_rows: Count = Field(
        FEWEST_ROWS,
        description="Slices with fewer labelled rows are not judged. If fewer than two have as many, the gate fails.",
    )

    def rules(self) -> dict[Rule, float]:
        """The limit, by the rule's name."""
        return {"max": self.max}


class TaskGates(StrictModel):
    """The limits of one task: metric → limits over all rows, and limits over slices."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, GateConfig] = Field(init=False)

    slices: dict[str, dict[str, SliceGate]] = Field(
        {},
        description="Limits that each slice must keep: column → metric → limits. A crossing of `evaluation.slices` is "
        "written `a,b`.",
    )
    gap: dict[str, dict[str, GapGate]] = Field(
        {}, description="Limits on the difference between the best and the worst slice: column → metric → limit."
    )

    @model_validator(mode="before")
    @classmethod
    def _near(cls, given: Any) -> Any:
        for name, value in given.items() if isinstance(given, Mapping) else ():
            near = difflib.get_close_matches(str(name), _SECTIONS, n=1)
            if near and name not in _SECTIONS and isinstance(value, Mapping):
                raise ValueError(f"'{name}' is no metric. Did you mean '{near[0]}'?")
        return given

    def __getitem__(self, metric: str) -> GateConfig:
        """The limits on a metric over all rows."""
        return self.metrics[metric]

    @property
    def metrics(self) -> dict[str, GateConfig]:
        """Metric → limits over all rows."""
        return self.__pydantic_extra__

    @property
    def gated(self) -> list[str]:
        """Every metric with a limit, those over all rows first."""
        return list(dict.fromkeys(metric for *_, metric, _ in self.entries()))

    def entries(self) -> Iterator[tuple[Scope, str, str, GateConfig | SliceGate | GapGate]]:
        """What is limited, the key of its columns (empty for all rows), the metric and its limits."""
        yield from (("rows", "", metric, limits) for metric, limits in self.metrics.items())
        for columns, by_metric in self.slices.items():
            yield from (("slices", columns, metric, limits) for metric, limits in by_metric.items())
        for columns, of_gap in self.gap.items():
            yield from (("gap", columns, metric, limits) for metric, limits in of_gap.items())


def gate_problems(rules: Mapping[Rule, float], metric: Metric, over: Scope = "rows") -> Iterator[str]:
    """What is wrong with a metric's limits: a direction in which harm passes, or a limit outside its range.

    Args:
        rules: the limits.
        metric: which is limited.
        over: what is limited.

    Yields:
        `<rule>: <what is wrong, and what would be right>`.
    """
    name, (least, greatest) = metric.name, metric.range
    if over == "gap":
        if rules["max"] > greatest - least:
            yield f"max: {name} cannot differ by {rules['max']:g}, its range is {_range(least, greatest)}"
        return
    if "max_drop" in rules and metric.better != "high":
        best = "lower is better" if metric.better == "low" else "which is best at one value"
        yield f"max_drop: a drop of {name} is no harm, {best}; write max_rise"
    if "max_rise" in rules and metric.better == "high":
        yield f"max_rise: a rise of {name} is no harm, higher is better; write max_drop"
    for rule in _VALUES:
        if rule in rules and not least <= rules[rule] <= greatest:
            hint = f"; write {rules[rule] / 100:g} for {rules[rule]:g} %" if metric.share and rules[rule] > 1 else ""
            yield f"{rule}: {rules[rule]:g} is outside the range of {name}, {_range(least, greatest)}{hint}"
    for rule in _CHANGES:
        if rules.get(rule, 0.0) > greatest - least:
            yield f"{rule}: {name} cannot change by {rules[rule]:g}, its range is {_range(least, greatest)}"
    yield from _one_sided(rules, metric)


def _one_sided(rules: Mapping[Rule, float], metric: Metric) -> Iterator[str]:
    if metric.better == "zero":
        for rule, side in zip(_VALUES, (1, -1), strict=True):
            if side * rules.get(rule, 0.0) > 0:
                yield f"{rule}: {rules[rule]:g} excludes 0, the best {metric.name}; write a limit on its other side"
    elif metric.better in _WORDS:
        right, wrong = _VALUES if metric.better == "high" else _VALUES[::-1]
        # Beside a limit on the harmful side, it bounds what is too good to be true. The range's end blocks nothing.
        if set(rules) == {wrong} and rules[wrong] not in metric.range:
            yield (
                f"{wrong}: {_WORDS[metric.better]} is better of {metric.name}, so this alone blocks the better models; "
                f"write {right}"
            )


def _given(**limits: float | None) -> dict[Rule, float]:
    return {cast(Rule, rule): limit for rule, limit in limits.items() if limit is not None}


def _range(least: float, greatest: float) -> str:
    if math.isinf(greatest):
        return f"{least:g} or above"
    return f"{greatest:g} or below" if math.isinf(least) else f"{least:g} to {greatest:g}"
