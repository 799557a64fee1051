"""The section `data_gates` of the configuration: limits on the data themselves."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import StrictModel, Whole, reject_bool

Share = Annotated[float, BeforeValidator(reject_bool), Field(ge=0, le=1)]
Level = Literal["ignore", "warning", "error"]


class DataGate(StrictModel):
    """What happens where a limit is broken."""

    level: Level = Field(
        "warning",
        description="What follows where the limit is broken: nothing (`ignore`), a `warning` in the run's reports, or "
        "an `error`, which ends the run with exit code 3 before anything is trained.",
    )


class SharedKeysGate(DataGate):
    """Keys that are in both splits, such as a customer's."""

    columns: list[str] = Field(
        [], description="The columns of the key. Without any, or with a split by this very key, nothing is compared."
    )
    max: Share = Field(0.0, description="The greatest share of eval rows whose key the train split has too.")


class SharedRowsGate(DataGate):
    """Rows of the eval split that are near-duplicates of a row of the train split."""

    max: Share = Field(
        0.05, description="The greatest share of eval rows that equal a train row in every feature, labels aside."
    )
    digits: Annotated[int, BeforeValidator(reject_bool), Field(ge=1, le=7)] = Field(
        6, description="The significant digits to which fractions are rounded for it. Whole numbers are not rounded."
    )


class DuplicatesGate(DataGate):
    """Copies within a split."""

    max: Share = Field(
        0.05,
        description="The greatest share of a split's rows that equal an earlier one in every column, labels included.",
    )


class LabelDriftGate(DataGate):
    """A change in the distribution of a task's labels."""

    max: Share = Field(
        0.1,
        description="The greatest change of a class's share or, of a number, of the share of labels up to any value "
        "(the Kolmogorov-Smirnov distance). A change that chance explains never counts.",
    )


class RowsGate(DataGate):
    """The fewest rows."""

    min: Whole = Field(100, description="The fewest rows of each split.")


class LabelledGate(DataGate):
    """The fewest rows with a label."""

    min: Whole = Field(100, description="The fewest rows with a label, of each task in each split.")


class MissingGate(DataGate):
    """Missing values of features."""

    max: Share = Field(0.99, description="The greatest share of rows without a value, of each feature in each split.")
    max_rise: Share = Field(0.25, description="The greatest rise of that share from train to eval.")
    features: dict[str, Share] = Field({}, description="Other limits than `max`, by feature.")


class DataGatesConfig(StrictModel):
    """Limits on the data themselves, checked before anything is trained."""

    rows: RowsGate = RowsGate()
    labelled: LabelledGate = LabelledGate()
    missing: MissingGate = MissingGate()
    duplicates: DuplicatesGate = DuplicatesGate()
    shared_rows: SharedRowsGate = SharedRowsGate()
    shared_keys: SharedKeysGate = SharedKeysGate()
    label_drift: LabelDriftGate = Field(LabelDriftGate(), description="The change from train to eval.")
    label_drift_since_blessed: LabelDriftGate = Field(
        LabelDriftGate(), description="The change of all rows since the run of the last blessed model."
    )
