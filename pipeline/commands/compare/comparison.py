"""The result of `janus compare`, as compare.json has it: means over seeds, and verdicts from paired differences."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from janus_core.strict import StrictModel

Verdict = Literal["shares well", "neutral", "negative transfer"]

LEAST_SEEDS = 2


class Estimate(StrictModel):
    """A metric over seeds."""

    mean: float | None = Field(description="Over the seeds; null where it is not defined for one of them.")
    standard_error: float | None = Field(description="Of the mean; null with one seed.")
    values: list[float | None] = Field(description="One per seed, in the order of `seeds`.")


class Change(StrictModel):
    """A relative change over seeds, positive where multi-task is better; 0.01 is one percent.

    Differences are taken seed by seed, and divided by the other model's mean over the seeds.
    """

    mean: float
    standard_error: float | None = Field(description="Of the mean; null with one seed.")
    low: float | None = Field(description="Lower end of Student's t interval at the stated confidence.")
    high: float | None = Field(description="Upper end.")
    verdict: Verdict | None = Field(
        description="shares well: the interval lies above 0; negative transfer: below; neutral: no difference is "
        "shown; null with one seed, which says nothing about noise."
    )
    values: list[float] = Field(description="One per seed.")


def estimate(values: Sequence[float | None]) -> Estimate:
    """Mean and standard error (the sample deviation by the root of the number of seeds)."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return Estimate(mean=None, standard_error=None, values=list(values))
    return Estimate(mean=float(np.mean(known)), standard_error=_standard_error(known), values=list(values))


def relative_changes(
    values: Sequence[float | None], others: Sequence[float | None], higher_is_better: bool
) -> list[float] | None:
    """Each seed's difference relative to the mean of the others, positive where `values` are better.

    None where a value is not defined, or that mean is 0.
    """
    if None in values or None in others:
        return None
    ours, theirs = np.array(values, np.float64), np.array(others, np.float64)
    base = abs(float(theirs.mean()))
    if not base:
        return None
    return [float(change) for change in (1.0 if higher_is_better else -1.0) * (ours - theirs) / base]


def change(values: Sequence[float], confidence: float) -> Change:
    """Student's t interval of the mean of paired differences, one per seed, and the verdict that follows."""
    mean, error = float(np.mean(values)), _standard_error(values)
    if error is None:
        return Change(mean=mean, standard_error=None, low=None, high=None, verdict=None, values=list(values))
    from scipy import stats

    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    low, high = mean - half, mean + half
    verdict: Verdict = "shares well" if low > 0 else "negative transfer" if high < 0 else "neutral"
    return Change(mean=mean, standard_error=error, low=low, high=high, verdict=verdict, values=list(values))


def mean_over_tasks(changes: Sequence[Sequence[float] | None]) -> list[float] | None:
    """Δm of each seed: the mean over the tasks of the relative change.

    Maninis, Radosavovic and Kokkinos 2019, "Attentive Single-Tasking of Multiple Tasks", section 5, with their sign:
    the higher, the better multi-task is. (Papers on balancing, such as CAGrad's and FAMO's, turn the sign around.) None
    where a task's change is not defined.
    """
    known = [values for values in changes if values is not None]
    if len(known) < len(changes) or not known:
        return None
    return [float(value) for value in np.mean(np.array(known), axis=0)]


def _standard_error(values: Sequence[float]) -> float | None:
    if len(values) < LEAST_SEEDS:
        return None
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


class Training(StrictModel):
    """A finished training, as the journal stores it."""

    key: str = Field(description="Digest of all that determines it.")
    label: str = Field(description="For people.")
    tasks: list[str]
    repetition: int = Field(description="0 is the Trainer's own seed and shuffle.")
    parameters: int = Field(description="Trained numbers.")
    seconds: float = Field(description="Wall time of the training.")
    epochs: int
    best_epoch: int = Field(description="Whose weights were kept, counted from 1.")
    metrics: dict[str, dict[str, float | None]] = Field(
        description="task → metric → value on the eval split; null where it is not defined."
    )


class Cost(StrictModel):
    """What a network costs; for single-task networks, all of them together."""

    parameters: int = Field(description="Trained numbers.")
    seconds: Estimate = Field(description="Wall time of the training.")
    epochs: Estimate


class TaskMetrics(StrictModel):
    """A task as one kind of network predicts it."""

    metrics: dict[str, Estimate]


class TaskChange(StrictModel):
    """A task of a multi-task network against single-task ones, by the headline metric. Null where not defined."""

    single: Change | None = Field(description="Against a network of the same layers.")
    equal: Change | None = Field(description="Against a network of as many parameters as the configuration's own.")


class CandidateResult(StrictModel):
    """One multi-task network."""

    trunk: str
    balancing: str
    own: bool = Field(description="Whether it is what the configuration says.")
    cost: Cost
    tasks: dict[str, TaskMetrics]
    changes: dict[str, TaskChange]
    delta_m: Change | None = Field(description="Δm against the single-task networks of the same layers.")
    delta_m_equal: Change | None = Field(description="Δm against those of as many parameters.")
    behind: Change | None = Field(
        description="Δm less that of the first in the ranking, seed by seed; null for the first."
    )

    @property
    def name(self) -> str:
        """For people, and unique."""
        return f"{self.trunk} × {self.balancing}"


class SingleResult(StrictModel):
    """The single-task networks of one size, one per task."""

    factor: dict[str, float] = Field(description="task → what the sizes of its hidden layers are multiplied by.")
    parameters: dict[str, int] = Field(description="task → trained numbers of its network.")
    cost: Cost
    tasks: dict[str, TaskMetrics]


class TaskInfo(StrictModel):
    """What is compared of a task."""

    kind: str
    metric: str = Field(description="The headline metric.")
    higher_is_better: bool
    unit: str | None = Field(None, description="The metric's.")
    labelled: int = Field(description="Rows of the eval split with a label.")


class Comparison(StrictModel):
    """The whole result. Candidates are ranked by Δm, best first; those without one come last."""

    janus: str
    pipeline: str
    created: str
    stack: dict[str, str]
    confidence: float
    seeds: list[int] = Field(description="Each repetition's seed.")
    epochs: int = Field(description="The most that a training may take.")
    examples: dict[str, int]
    tasks: dict[str, TaskInfo]
    candidates: list[CandidateResult]
    single: SingleResult
    equal: SingleResult
    baselines: dict[str, dict[str, float | None]] = Field(
        {}, description="task → constant, linear, boosting → its headline metric on the eval split; null: none."
    )
    notes: list[str]

    @property
    def own(self) -> CandidateResult:
        """The configuration's own model."""
        return next(candidate for candidate in self.candidates if candidate.own)
