"""What the Transform and Trainer components receive."""

from typing import Literal

from janus_core.strict import LabelForm, StrictModel
from trainer.config.features import Feature
from trainer.config.model import ModelConfig
from trainer.config.tasks import Task, classes_of
from trainer.config.training import TrainingConfig


class LabelConfig(StrictModel):
    """What Transform needs to know of a task.

    Attributes:
        column: the label's column.
        form: what a row holds.
        classes: in order; empty of numbers.
        separator: between the classes of a row that holds them in one string.
        empty: what a row without any class means.
        sample_weight: the column of the rows' weights.
    """

    column: str
    form: LabelForm
    classes: list[str] = []
    separator: str | None = None
    empty: Literal["negative", "masked"] = "negative"
    sample_weight: str | None = None


class PreprocessingConfig(StrictModel):
    """What `preprocessing_fn` reads: a change here re-runs Transform."""

    features: dict[str, Feature]
    labels: dict[str, LabelConfig]


class TrainerConfig(StrictModel):
    """What `run_fn` reads: a change here re-runs Trainer."""

    seed: int
    features: dict[str, Feature]
    tasks: dict[str, Task]
    model: ModelConfig
    training: TrainingConfig

    def preprocessing(self) -> PreprocessingConfig:
        """The part that Transform depends on."""
        labels = {name: _label_config(task) for name, task in self.tasks.items()}
        features = {
            # The size of an embedding is the network's business alone.
            name: feature.model_copy(update={"embed": None}) if hasattr(feature, "embed") else feature
            for name, feature in self.features.items()
        }
        return PreprocessingConfig(features=features, labels=labels)


def _label_config(task: Task) -> LabelConfig:
    return LabelConfig(
        column=task.label,
        form=task.label_form,
        classes=classes_of(task),
        separator=getattr(task, "separator", None),
        empty=getattr(task, "empty", "negative"),
        sample_weight=task.sample_weight,
    )
