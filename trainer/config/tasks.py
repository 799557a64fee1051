"""`tasks`: what is predicted."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from janus_core.strict import ClassName, LabelForm, NonNegative, Positive, StrictModel, class_name, reject_bool

Level = Annotated[float, BeforeValidator(reject_bool), Field(gt=0, lt=1)]
ClassWeights = Literal["balanced"] | dict[ClassName, float]


class TaskConfig(StrictModel):
    """What every kind of task shares.

    A subclass is listed in `Task`, and has an entry in `janus_core.kinds` and a head in `trainer.heads`.
    """

    label_form: ClassVar[LabelForm]

    label: str = Field(description="The label's column. A row where it is missing is masked for this task only.")
    loss_weight: NonNegative = Field(1.0, description="This task's factor in the total loss.")
    sample_weight: str | None = Field(
        None,
        description="A column of non-negative numbers: each row's weight in this task's loss, label statistics and "
        "metrics. A row where it is missing, negative or not finite is masked for this task.",
    )


class _FocalTask(TaskConfig):
    """A task that may be trained by focal loss."""

    loss: Literal["cross_entropy", "focal"] = Field(
        "cross_entropy",
        description="The loss of a row. focal is cross-entropy times (1 - probability of the label) ** gamma.",
    )
    gamma: NonNegative | None = Field(
        None,
        description="The exponent of the focal loss, by default 2. The greater it is, the less rows count that are "
        "predicted well.",
    )

    @model_validator(mode="after")
    def _check_gamma(self) -> "_FocalTask":
        if self.gamma is not None and self.loss != "focal":
            raise ValueError("`gamma` goes with `loss: focal` only")
        return self


class _ClassWeightsTask(TaskConfig):
    """A task whose exclusive classes may weigh differently in the loss."""

    label_form = "class"

    classes: list[ClassName]
    class_weights: ClassWeights | None = Field(
        None,
        description="Each class's weight in the training loss, by default 1. With balanced, the weights are inversely "
        "proportional to the frequencies in the training split. Metrics are not weighted by class.",
    )

    @field_validator("class_weights", mode="before")
    @classmethod
    def _check_class_weights(cls, value: Any, info: ValidationInfo) -> Any:
        # Pydantic would report a mistake once for each member of the union, under names of its own.
        if value is None or value == "balanced":
            return value
        if not isinstance(value, dict):
            raise ValueError(f"expected 'balanced' or each class's weight, such as {{late: 5.0}}, got {value!r}")
        classes = info.data.get("classes")
        for name, weight in ((class_name(name), weight) for name, weight in value.items()):
            if classes and name not in classes:
                raise ValueError(f"'{name}' is not one of the classes {', '.join(classes)}")
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not weight > 0:
                raise ValueError(f"the weight of '{name}' must be a number above 0, got {weight!r}")
        return value


class Costs(StrictModel):
    """What wrong decisions of a binary task cost; only their ratio counts."""

    false_positive: Positive = Field(
        description="The cost of deciding for the second class where the label is the first."
    )
    false_negative: Positive = Field(
        description="The cost of deciding for the first class where the label is the second."
    )


class BinaryTask(_ClassWeightsTask, _FocalTask):
    """Two classes; the prediction is the probability of the second.

    With `given`, the label is over all rows, and positive only where the other task's label is: a purchase, given a
    click. The prediction is the probability of both (ESMM: Ma et al. 2018, "Entire Space Multi-Task Model").
    """

    kind: Literal["binary"]
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=2)] = Field(
        ["0", "1"], description="The label's two values: negative, then positive.", validate_default=True
    )
    decision: Literal["f1", "youden", "cost"] | Level = Field(
        "f1",
        description="How the probability above which the second class is decided is chosen on the rows that are held "
        "out for validation. It is exported with the model: the output `<task>/decision`, accuracy and f1 follow it. "
        "f1: the greatest F1; youden: the greatest sum of both classes' recalls; cost: the least cost by `costs`; or "
        "the probability itself, such as 0.5.",
    )
    costs: Costs | None = Field(None, description="What wrong decisions cost. It is required by `decision: cost`.")
    given: str | None = Field(
        None,
        description="Another binary task, without which this one's label is never positive. The prediction is the "
        "probability of both: the other task's, times this one's conditional probability.",
    )

    @field_validator("decision", mode="before")
    @classmethod
    def _check_decision(cls, value: Any) -> Any:
        # Pydantic would report a mistake once for each member of the union.
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value not in ("f1", "youden", "cost") and not (is_number and 0 < value < 1):
            raise ValueError(f"expected f1, youden, cost or a probability between 0 and 1, got {value!r}")
        return value

    @model_validator(mode="after")
    def _check_costs(self) -> "BinaryTask":
        if (self.decision == "cost") != (self.costs is not None):
            raise ValueError(
                "`decision: cost` needs `costs`, such as {false_positive: 1, false_negative: 5}"
                if self.costs is None
                else "`costs` goes with `decision: cost` only"
            )
        return self


class MulticlassTask(_ClassWeightsTask, _FocalTask):
    """Two or more exclusive classes."""

    kind: Literal["multiclass"]
    classes: Annotated[list[ClassName], Field(min_length=2)] = Field(description="The label's values, in order.")


class OrdinalTask(_ClassWeightsTask):
    """Exclusive classes that have an order: a grade, a size (CORAL: Cao, Mirjalili and Raschka 2020)."""

    kind: Literal["ordinal"]
    classes: Annotated[list[ClassName], Field(min_length=2)] = Field(description="The label's values, ascending.")
    loss: Literal["coral"] = Field("coral", description="The sum of the cross-entropies of `above this class`.")


class MultilabelTask(_FocalTask):
    """Classes of which any number may apply to a row. Accuracies and F1 take a class as decided above 0.5.

    A row with a value that is not one of `classes` is masked, as it is for other kinds.
    """

    label_form = "classes"

    kind: Literal["multilabel"]
    classes: Annotated[list[ClassName], Field(min_length=2)] = Field(
        description="The values that the label's column lists, in order."
    )
    separator: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="The separator of the values, if the column holds them in one string, as in CSV. White space "
        "around them is dropped. By default, the column holds lists.",
    )
    empty: Literal["negative", "masked"] = Field(
        "negative",
        description="The meaning of a row without any value. negative: no class applies; masked: the label is missing.",
    )

    @field_validator("separator")
    @classmethod
    def _check_separator(cls, separator: str | None, info: ValidationInfo) -> str | None:
        for name in info.data.get("classes") or []:
            if separator is not None and (separator in name or name.strip() != name):
                raise ValueError(
                    f"class '{name}' would be cut by {separator!r}, or by the white space dropped around it"
                )
        return separator


class RegressionTask(TaskConfig):
    """A number, predicted in its own unit; standardised inside the model."""

    label_form = "number"

    kind: Literal["regression"]
    loss: Literal["mse", "mae", "huber", "quantile"] = Field(
        "mse",
        description="The loss of a row, on the standardised label. huber has delta 1; quantile predicts each of "
        "`quantiles`. If it is not set and the task's only gate is on mae, the loss is mae too.",
    )
    offset: Annotated[int, BeforeValidator(reject_bool)] = Field(
        0,
        description="A round number among labels that are far from 0 and close to each other, such as 1700000000 for "
        "times. It is subtracted before labels are rounded to 32 bits, and added to predictions, which then have 64 "
        "bits.",
    )
    quantiles: Annotated[list[Level], Field(min_length=1)] | None = Field(
        None,
        description="The levels of `loss: quantile`, ascending and in (0, 1). The task's prediction is the quantile "
        "whose level is nearest to 0.5.",
    )
    unit: str | None = Field(
        None, description="The label's unit in reports. In CSV, it may be written before or after the numbers."
    )

    @field_validator("quantiles")
    @classmethod
    def _check_order(cls, quantiles: list[float] | None) -> list[float] | None:
        if quantiles is not None and sorted(set(quantiles)) != quantiles:
            raise ValueError(f"levels must be ascending, without repeats, got {quantiles}")
        return quantiles

    @model_validator(mode="after")
    def _check_quantiles(self) -> "RegressionTask":
        if self.loss == "quantile" and self.quantiles is None:
            raise ValueError("`loss: quantile` needs `quantiles`, such as [0.1, 0.5, 0.9]")
        if self.loss != "quantile" and self.quantiles is not None:
            raise ValueError("`quantiles` goes with `loss: quantile` only")
        return self


class CountTask(TaskConfig):
    """How often something happens: a non-negative number, whole in meaning, whose logarithm is modelled.

    Fractions are allowed (the loss is a quasi-likelihood for them); a row with a negative label is masked.
    """

    label_form = "count"

    kind: Literal["count"]
    loss: Literal["poisson"] = Field("poisson", description="The negative log-likelihood of a Poisson distribution.")
    unit: str | None = Field(
        None, description="What is counted, in reports. In CSV, it may be written before or after the numbers."
    )


class BoxTask(TaskConfig):
    """One rectangle in an image with sides along its axes.

    The label is a list of four numbers, [top, left, bottom, right] as shares of the image's height and width from its
    top left corner: [ymin, xmin, ymax, xmax], as in tf.image. So is the prediction.
    """

    label_form = "box"

    kind: Literal["box"]
    loss: Literal["smooth_l1_giou"] = Field(
        "smooth_l1_giou",
        description="The mean smooth absolute error of the four numbers, in tenths, and 1 less the generalised "
        "intersection over union (Rezatofighi et al. 2019).",
    )


class SequenceTagsTask(TaskConfig):
    """A tag for each token of a sequence: parts of speech, or named entities by tags such as B-PER, I-PER and O.

    The label is a list of as many tags as there are tokens, or one text with a separator between them.
    """

    label_form = "tags"

    kind: Literal["sequence_tags"]
    sequence: str = Field(description="The feature of kind sequence whose tokens are tagged.")
    classes: Annotated[list[ClassName], Field(min_length=2)] = Field(description="The tags.")
    separator: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The separator of the tags in a text. By default, it is that of the tokens."
    )
    loss: Literal["cross_entropy"] = Field(
        "cross_entropy", description="The mean over all tokens of the cross-entropy of the tag."
    )


Task = Annotated[
    BinaryTask
    | MulticlassTask
    | OrdinalTask
    | MultilabelTask
    | RegressionTask
    | CountTask
    | BoxTask
    | SequenceTagsTask,
    Field(discriminator="kind"),
]


def classes_of(task: TaskConfig) -> list[str]:
    """The task's classes in order; empty for a task whose label is a number."""
    return list(getattr(task, "classes", []))


def quantiles_of(task: TaskConfig) -> list[float]:
    """The levels of the quantiles that the task predicts, ascending; empty if it predicts none."""
    return list(getattr(task, "quantiles", None) or [])


def unit_of(task: TaskConfig) -> str | None:
    """The label's unit, if it has one."""
    return getattr(task, "unit", None)


def given_of(task: TaskConfig) -> str | None:
    """The task that this one is conditioned on, if any."""
    return getattr(task, "given", None)


def task_problems(tasks: Mapping[str, Task]) -> list[str]:
    """What is wrong between the tasks, one sentence each that begins with the key's full path."""
    labels = {task.label: name for name, task in tasks.items()}
    problems = [
        f"tasks.{name}.sample_weight: column '{task.sample_weight}' is the label of task '{labels[task.sample_weight]}'"
        for name, task in tasks.items()
        if task.sample_weight in labels
    ]
    for name, task in tasks.items():
        problem = _given_problem(name, given_of(task), tasks)
        if problem:
            problems.append(f"tasks.{name}.given: {problem}")
    return problems or _given_cycles(tasks)


def _given_problem(name: str, given: str | None, tasks: Mapping[str, Task]) -> str | None:
    if given is None:
        return None
    if given == name:
        return "a task cannot be given itself"
    binary = [other for other, task in tasks.items() if isinstance(task, BinaryTask) and other != name]
    if given not in tasks:
        return f"no task '{given}'; other binary tasks are: {', '.join(binary) or 'none'}"
    if given not in binary:
        return f"'{given}' is a {tasks[given].kind} task, it must be a binary one"
    return None


def _given_cycles(tasks: Mapping[str, Task]) -> list[str]:
    problems = []
    reported: set[str] = set()
    for name in tasks:
        chain = [name]
        while (given := given_of(tasks[chain[-1]])) is not None and given not in chain:
            chain.append(given)
        if given == name and not reported & set(chain):
            keys = ", ".join(f"tasks.{member}.given" for member in chain)
            problems.append(f"{keys}: a cycle, {' → '.join([*chain, name])}; remove one of these keys")
            reported |= set(chain)
    return problems


def dependency_order(tasks: Mapping[str, Task]) -> list[str]:
    """The tasks' names, each after the one that it is `given`, else in the configuration's order."""
    ordered: dict[str, None] = {}
    for name in tasks:
        chain = [name]
        while (given := given_of(tasks[chain[-1]])) is not None and given not in chain:
            chain.append(given)
        ordered.update(dict.fromkeys(reversed(chain)))
    return list(ordered)
