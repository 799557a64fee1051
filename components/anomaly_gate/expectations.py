"""What the configuration expects of the data, beside the schema."""

from trainer.config import StrictModel


class LabelExpectation(StrictModel):
    """A task's label. Whether it is one of the task's classes is checked where rows are read, by ExampleGen."""

    task: str
    numeric: bool = False


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
        curated: whether the schema was written down, or inferred from the very training split it is checked with. In
            the latter case a new value or a missing one in the other split is no contradiction.
    """

    labels: dict[str, LabelExpectation]
    features: dict[str, FeatureExpectation]
    curated: bool
