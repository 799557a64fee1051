"""compare.json, the result of `janus compare`, which its table and plots show."""

from pydantic import Field

from janus_core.strict import StrictModel
from pipeline.commands.compare.statistics import Change, Estimate


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
    notes: list[str]

    @property
    def own(self) -> CandidateResult:
        """The configuration's own model."""
        return next(candidate for candidate in self.candidates if candidate.own)
