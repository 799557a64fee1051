"""`training`: how the network is trained."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import Count, StrictModel, reject_bool


class EarlyStoppingConfig(StrictModel):
    """Stop when the task-balanced validation loss no longer falls; the best epoch's weights are kept."""

    patience: Annotated[int, BeforeValidator(reject_bool), Field(ge=0)] = Field(
        2, description="Epochs without improvement that are tolerated."
    )
    min_delta: Annotated[float, BeforeValidator(reject_bool), Field(ge=0)] = Field(
        0.0, description="A smaller fall does not count as improvement."
    )


class TrainingConfig(StrictModel):
    """How the network is trained."""

    epochs: Count = Field(5, description="Passes over the training rows, at most.")
    batch_size: Count = Field(512, description="Rows of a training step.")
    learning_rate: Annotated[float, BeforeValidator(reject_bool), Field(gt=0)] = Field(
        0.001, description="Of the optimizer; it stays the same throughout."
    )
    optimizer: Literal["adam", "adamw", "sgd", "adagrad"] = Field("adam", description="Keras's, by name.")
    early_stopping: EarlyStoppingConfig | None = Field(None, description="Absent: all epochs are trained.")
    validation_fraction: Annotated[float, BeforeValidator(reject_bool), Field(gt=0, lt=0.5)] = Field(
        0.1,
        description="Share of the training split held out for the validation loss, which early stopping watches; "
        "the eval split is never looked at while training.",
    )
    warm_start: bool = Field(
        False,
        description="Start from the weights of the last model that was blessed before these examples were made, "
        "matched by layer, and in embeddings by value; what is new or of another shape starts as usual. The first run "
        "starts from scratch.",
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
