"""The parts of the configuration that the Transform and Trainer components receive."""

from typing import Literal

from janus_core.strict import LabelForm, StrictModel
from trainer.config.features import Feature
from trainer.config.model import ModelConfig
from trainer.config.tasks import Task
from trainer.config.training import TrainingConfig
from trainer.names import missing_name

_OF_TASK = {"classes", "separator", "empty", "sample_weight"}


class LabelConfig(StrictModel):
    """The part of a task that Transform depends on.

    Attributes:
        separator: between the classes of a row that holds them in one string.
        empty: the meaning of a row without any class.
        sample_weight: the column of the rows' weights.
    """

    column: str
    form: LabelForm
    classes: list[str] = []
    separator: str | None = None
    empty: Literal["negative", "masked"] = "negative"
    sample_weight: str | None = None


class PreprocessingConfig(StrictModel):
    """The configuration of `preprocessing_fn`. A change here re-runs Transform.

    `time` is the column of the rows' times, where the Trainer needs it.
    """

    features: dict[str, Feature]
    labels: dict[str, LabelConfig]
    time: str | None = None


class TimeConfig(StrictModel):
    """The column by whose times the newest training rows are held out; `format` is of strptime, or ISO 8601."""

    column: str
    format: str | None = None


class TrainerConfig(StrictModel):
    """The configuration of `run_fn`. A change here re-runs Trainer."""

    seed: int
    features: dict[str, Feature]
    tasks: dict[str, Task]
    model: ModelConfig
    training: TrainingConfig
    time: TimeConfig | None = None

    def network_inputs(self) -> list[str]:
        """The names of the transformed features that the network reads."""
        indicators = [missing_name(name) for name, feature in self.features.items() if feature.missing_indicator]
        return [*self.features, *indicators]

    def preprocessing(self) -> PreprocessingConfig:
        """The part that Transform depends on."""
        labels = {
            name: LabelConfig(column=task.label, form=task.label_form, **task.model_dump(include=_OF_TASK))
            for name, task in self.tasks.items()
        }
        features = {
            # Only the network depends on the size of an embedding, and on the encoding.
            name: feature.model_copy(update={key: None for key in ("embed", "encoding") if hasattr(feature, key)})
            for name, feature in self.features.items()
        }
        return PreprocessingConfig(features=features, labels=labels, time=self.time.column if self.time else None)
