"""The parts of the configuration that the Transform and Trainer components receive."""

from typing import Literal

from janus_core.strict import LabelForm, StrictModel
from trainer.config.features import Feature, columns_of
from trainer.config.model import ModelConfig
from trainer.config.tasks import SequenceTagsTask, Task
from trainer.config.training import TrainingConfig
from trainer.names import missing_name

_OF_TASK = {"classes", "separator", "empty", "sample_weight"}


class LabelConfig(StrictModel):
    """The part of a task that Transform depends on.

    Attributes:
        separator: between the classes of a row that holds them in one string.
        empty: the meaning of a row without any class.
        sample_weight: the column of the rows' weights.
        length: of the sequence whose tokens the label tags; else 0.
    """

    column: str
    form: LabelForm
    classes: list[str] = []
    separator: str | None = None
    empty: Literal["negative", "masked"] = "negative"
    sample_weight: str | None = None
    length: int = 0


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

    def column_shapes(self) -> dict[str, tuple[int | None, bool]]:
        """Raw column → the length of its lists, if they have one, and whether they are of any length."""
        shapes: dict[str, tuple[int | None, bool]] = {}
        for name, feature in self.features.items():
            shape = feature.row_length, feature.many
            # Where several features read a column, the first value is that of those that read one.
            for column in columns_of(name, feature):
                shapes[column] = max(shapes.get(column, shape), shape, key=lambda one: (one[1], one[0] or 0))
        return shapes

    def sequence_length(self, task: Task) -> int:
        """The length of the sequence whose tokens a task tags; else 0."""
        return getattr(self.features[task.sequence], "max_length", 0) if isinstance(task, SequenceTagsTask) else 0

    def preprocessing(self) -> PreprocessingConfig:
        """The part that Transform depends on."""
        labels = {
            name: LabelConfig(
                column=task.label,
                form=task.label_form,
                length=self.sequence_length(task),
                **task.model_dump(include=_OF_TASK),
            )
            for name, task in self.tasks.items()
        }
        features = {
            name: feature.model_copy(
                update={key: type(feature).model_fields[key].default for key in feature.network_keys}
            )
            for name, feature in self.features.items()
        }
        return PreprocessingConfig(features=features, labels=labels, time=self.time.column if self.time else None)
