"""The parts of the configuration that the Transform and Trainer components receive."""

from typing import Literal

from janus_core.strict import LabelForm, StrictModel
from trainer.config.features import Feature
from trainer.config.model import ModelConfig
from trainer.config.tasks import Task, classes_of
from trainer.config.training import TrainingConfig
from trainer.names import missing_name


class LabelConfig(StrictModel):
    """The part of a task that Transform depends on.

    Attributes:
        column: the label's column.
        form: the form of a row's value.
        classes: in order; empty for numbers.
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

    Attributes:
        features: the network's inputs.
        labels: by task.
        time: the column of the rows' times, where the Trainer needs it.
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
        labels = {name: _label_config(task) for name, task in self.tasks.items()}
        features = {
            # Only the network depends on the size of an embedding, and on the encoding.
            name: feature.model_copy(update={key: None for key in ("embed", "encoding") if hasattr(feature, key)})
            for name, feature in self.features.items()
        }
        return PreprocessingConfig(features=features, labels=labels, time=self.time.column if self.time else None)


def _label_config(task: Task) -> LabelConfig:
    return LabelConfig(
        column=task.label,
        form=task.label_form,
        classes=classes_of(task),
        separator=getattr(task, "separator", None),
        empty=getattr(task, "empty", "negative"),
        sample_weight=task.sample_weight,
    )
