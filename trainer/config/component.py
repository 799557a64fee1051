"""What the Transform and Trainer components receive."""

from typing import Literal

from trainer.config.base import StrictModel
from trainer.config.features import Feature
from trainer.config.model import ModelConfig
from trainer.config.tasks import Task
from trainer.config.training import TrainingConfig


class LabelConfig(StrictModel):
    """What Transform needs to know of a task."""

    column: str
    kind: Literal["binary", "multiclass", "regression"]
    classes: list[str] | None = None


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
        labels = {
            name: LabelConfig(column=task.label, kind=task.kind, classes=getattr(task, "classes", None))
            for name, task in self.tasks.items()
        }
        features = {
            # The size of an embedding is the network's business alone.
            name: feature.model_copy(update={"embed": None}) if hasattr(feature, "embed") else feature
            for name, feature in self.features.items()
        }
        return PreprocessingConfig(features=features, labels=labels)
