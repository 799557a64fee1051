"""What the configuration expects of the data, in addition to the schema."""

from janus_core.strict import StrictModel


class LabelExpectation(StrictModel):
    """A task's label.

    Whether a label is one of the task's classes is checked where rows are read, by ExampleGen; but not of several
    classes in one string.

    Attributes:
        task: the task's name.
        numeric: whether it is a number.
        least: the least that it may be.
        classes: what each part may be, of a label that holds several classes in one string.
        separator: what separates them.
    """

    task: str
    numeric: bool = False
    least: float | None = None
    classes: list[str] = []
    separator: str | None = None


class WeightExpectation(StrictModel):
    """A column of row weights, and the tasks that are weighted by it."""

    tasks: list[str]


class FeatureExpectation(StrictModel):
    """A feature's column."""

    feature: str
    numeric: bool = False
    length: int = 1


class Expectations(StrictModel):
    """What the gate checks.

    Attributes:
        labels: column → its label's expectation.
        features: column → its feature's expectation.
        weights: column → its tasks.
        curated: whether the schema was written down, or inferred from the very training split it is checked with. In
            the latter case a new value or a missing one in the other split is not an error.
        sensitive: columns whose values no message may show.
    """

    labels: dict[str, LabelExpectation]
    features: dict[str, FeatureExpectation]
    weights: dict[str, WeightExpectation] = {}
    curated: bool
    sensitive: list[str] = []
