"""The part of the configuration that the Transform and Trainer components read."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class StrictModel(BaseModel):
    """A pydantic model that rejects unknown keys, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


def _reject_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got the boolean {str(value).lower()}")
    return value


def _class_name(value: Any) -> str:
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this class as the boolean {str(value).lower()}; put it in quotes, or use 0 and 1")
    if isinstance(value, (int, str)):
        return str(value)
    raise ValueError("a class is a string or a whole number, as it stands in the label's column")


Number = Annotated[float, BeforeValidator(_reject_bool)]
Count = Annotated[PositiveInt, BeforeValidator(_reject_bool)]
ClassName = Annotated[str, BeforeValidator(_class_name)]
Rate = Annotated[float, BeforeValidator(_reject_bool), Field(ge=0, lt=1)]


# --- features ---------------------------------------------------------------------------------------------------


class FeatureConfig(StrictModel):
    """What every kind of feature shares."""

    column: str | None = Field(None, description="The column's name in the data; by default the feature's own name.")
    missing_indicator: bool = Field(False, description="Add an input that is 1 where the value is missing, else 0.")


class NumericFeature(FeatureConfig):
    """A number per row."""

    kind: Literal["numeric"]
    scale: Literal["z_score", "log", "min_max", "quantile", "bucketize", "none"] = Field(
        "z_score",
        description="z_score; log: sign(x)·log(1+|x|), then z-score; min_max: to [0, 1]; quantile: rank in [0, 1]; "
        "bucketize: one-hot of quantile buckets, or of `boundaries`; none: as it is.",
    )
    buckets: Annotated[int, BeforeValidator(_reject_bool), Field(ge=2)] = Field(
        10, description="Number of buckets for bucketize, of quantiles for quantile."
    )
    boundaries: list[Number] | None = Field(None, description="Fixed ascending boundaries for bucketize.")
    missing: Literal["mean", "median"] | Number = Field(
        "mean", description="What a missing value (or NaN) becomes: mean, median, or a constant in the column's unit."
    )

    @model_validator(mode="after")
    def _check(self) -> "NumericFeature":
        if self.boundaries is not None:
            if self.scale != "bucketize":
                raise ValueError("`boundaries` goes with `scale: bucketize` only")
            if not self.boundaries or sorted(set(self.boundaries)) != self.boundaries:
                raise ValueError("`boundaries` must be ascending, without repeats, and not empty")
        return self


class CategoricalFeature(FeatureConfig):
    """A string or whole number per row, by a vocabulary computed from the training split."""

    kind: Literal["categorical"]
    embed: Count | None = Field(None, description="Embedding size; by default from the vocabulary's size.")
    top_k: Count | None = Field(None, description="Keep only the k most frequent values.")
    min_frequency: Count | None = Field(None, description="Keep only values seen at least so often.")
    oov_buckets: Count = Field(1, description="Buckets for values outside the vocabulary (hashed between them).")


class HashedFeature(FeatureConfig):
    """A string or whole number of high cardinality per row, hashed into a fixed number of buckets."""

    kind: Literal["hashed"]
    buckets: Annotated[int, BeforeValidator(_reject_bool), Field(ge=2)] = Field(description="Number of hash buckets.")
    embed: Count | None = Field(None, description="Embedding size; by default from the number of buckets.")


class CyclicalFeature(FeatureConfig):
    """A number on a circle (hour of day, month, angle), given to the model as sine and cosine."""

    kind: Literal["cyclical"]
    period: Annotated[float, BeforeValidator(_reject_bool), Field(gt=0)] = Field(
        description="The length of one turn, in the column's unit."
    )


class VectorFeature(FeatureConfig):
    """A list of numbers of one fixed length per row."""

    kind: Literal["vector"]
    length: Count = Field(description="How many numbers each row holds.")
    scale: Literal["z_score", "min_max", "none"] = Field("z_score", description="Applied to each position by itself.")
    missing: Literal["mean"] | Number = Field("mean", description="What a missing vector, or a NaN in one, becomes.")


Feature = Annotated[
    NumericFeature | CategoricalFeature | HashedFeature | CyclicalFeature | VectorFeature, Field(discriminator="kind")
]


# --- tasks ------------------------------------------------------------------------------------------------------


class TaskConfig(StrictModel):
    """What every kind of task shares."""

    label: str = Field(description="The label's column. A row where it is missing is masked for this task only.")
    loss_weight: Annotated[float, BeforeValidator(_reject_bool), Field(ge=0)] = Field(
        1.0, description="This task's factor in the total loss."
    )


class BinaryTask(TaskConfig):
    """Two classes; the prediction is the probability of the second."""

    kind: Literal["binary"]
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=2)] = Field(
        ["0", "1"], description="The label's two values: negative, then positive.", validate_default=True
    )
    loss: Literal["cross_entropy"] = "cross_entropy"


class MulticlassTask(TaskConfig):
    """Two or more exclusive classes."""

    kind: Literal["multiclass"]
    classes: Annotated[list[ClassName], Field(min_length=2)] = Field(description="The label's values, in order.")
    loss: Literal["cross_entropy"] = "cross_entropy"


class RegressionTask(TaskConfig):
    """A number, predicted in its own unit; standardised inside the model."""

    kind: Literal["regression"]
    loss: Literal["mse", "mae", "huber"] = Field("mse", description="On the standardised label; huber has delta 1.")
    unit: str | None = Field(None, description="The label's unit, for reports.")


Task = Annotated[BinaryTask | MulticlassTask | RegressionTask, Field(discriminator="kind")]


# --- model and training -----------------------------------------------------------------------------------------


class TrunkConfig(StrictModel):
    """The part of the network that all tasks share."""

    kind: Literal["shared_bottom"] = "shared_bottom"
    units: Annotated[list[Count], Field(min_length=1)] = Field([128, 64], description="Sizes of the shared layers.")
    dropout: Rate = Field(0.0, description="Dropout rate after each shared layer.")
    activation: Literal["relu", "gelu", "silu", "elu", "selu", "tanh"] = "relu"


class BalancingConfig(StrictModel):
    """How the tasks' losses become one."""

    kind: Literal["fixed"] = Field("fixed", description="fixed: the sum of losses by each task's loss_weight.")


class ModelConfig(StrictModel):
    """The network."""

    trunk: TrunkConfig = TrunkConfig()
    towers: dict[str, list[Count]] = Field(
        {"default": [32]}, description="Sizes of each task's own layers; `default` for tasks not named."
    )
    balancing: BalancingConfig = BalancingConfig()


class EarlyStoppingConfig(StrictModel):
    """Stop when the task-balanced validation loss no longer falls; the best epoch's weights are kept."""

    patience: Annotated[int, BeforeValidator(_reject_bool), Field(ge=0)] = Field(
        2, description="Epochs without improvement that are tolerated."
    )
    min_delta: Annotated[float, BeforeValidator(_reject_bool), Field(ge=0)] = Field(
        0.0, description="A smaller fall does not count as improvement."
    )


class TrainingConfig(StrictModel):
    """How the network is trained."""

    epochs: Count = 5
    batch_size: Count = 512
    learning_rate: Annotated[float, BeforeValidator(_reject_bool), Field(gt=0)] = 0.001
    optimizer: Literal["adam", "adamw", "sgd", "adagrad"] = "adam"
    early_stopping: EarlyStoppingConfig | None = Field(None, description="Absent: all epochs are trained.")
    validation_fraction: Annotated[float, BeforeValidator(_reject_bool), Field(gt=0, lt=0.5)] = Field(
        0.1,
        description="Share of the training split held out for the validation loss, which early stopping watches; "
        "the eval split is never looked at while training.",
    )
    steps_per_execution: Count = Field(
        32, description="Training steps per call into TensorFlow; 1 with several replicas."
    )
    jit_compile: bool = Field(False, description="Compile the training step with XLA.")
    mixed_precision: Literal["none", "bfloat16", "float16"] = Field(
        "none", description="Compute in half precision, keep variables, losses and outputs in float32."
    )
    distribution: Literal["none", "mirrored", "multi_worker"] = Field(
        "none",
        description="none: one device; mirrored: all GPUs of the machine (tf.distribute.MirroredStrategy); "
        "multi_worker: the workers that TF_CONFIG names (tf.distribute.MultiWorkerMirroredStrategy). "
        "batch_size counts the rows of all replicas together.",
    )


# --- what the components receive --------------------------------------------------------------------------------


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


def column_of(name: str, feature: FeatureConfig) -> str:
    """The raw column that the feature `name` reads."""
    return feature.column or name
