"""`training`: how the network is trained."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import Count, NonNegative, Positive, Rate, StrictModel, Whole, reject_bool


class EarlyStoppingConfig(StrictModel):
    """Stops the training when the balanced validation loss no longer falls. The best epoch's weights are kept."""

    patience: Whole = Field(2, description="The number of epochs without improvement that are tolerated.")
    min_delta: NonNegative = Field(0.0, description="The least decrease of the loss that counts as improvement.")


class TrainingConfig(StrictModel):
    """How the network is trained."""

    epochs: Count = Field(5, description="The greatest number of passes over the training rows.")
    min_steps: Whole = Field(
        0, description="The least number of training steps. If `epochs` has fewer, more epochs are trained."
    )
    batch_size: Count = Field(512, description="The number of rows in a training step.")
    learning_rate: Positive = Field(0.001, description="The optimizer's learning rate, or the first of a schedule.")
    schedule: Literal["constant", "cosine"] = Field(
        "constant",
        description="How the learning rate changes. constant: it does not; cosine: it falls to 0 over all steps along "
        "half a cosine (Loshchilov and Hutter 2017).",
    )
    optimizer: Literal["adam", "adamw", "sgd", "adagrad"] = Field("adam", description="The Keras optimizer, by name.")
    weight_decay: Rate | None = Field(
        None,
        description="Decoupled weight decay (Loshchilov and Hutter 2019). By default, it is the optimizer's own: 0.004 "
        "for adamw, none for the others.",
    )
    ema: Rate = Field(
        0.0,
        description="The momentum of an exponential moving average of the weights, such as 0.998. The average is "
        "validated and exported in place of the last weights. In the first steps the momentum is less, (1 + step) / "
        "(4 + step), so that weights of the beginning do not stay in it. With 0, there is no average.",
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        None, description="When to stop early. By default, all epochs are trained."
    )
    validation: Literal["hash", "newest"] = Field(
        "hash",
        description="Which rows of the training split are held out. hash: a random share of them, by a hash of their "
        "content; newest: the last ones by the column of `data.split`, which must be by time. Rows with the same time "
        "stay together.",
    )
    validation_fraction: Annotated[float, BeforeValidator(reject_bool), Field(gt=0, lt=0.5)] = Field(
        0.1,
        description="The share of the training split that is held out for the validation loss, which early stopping "
        "monitors. The eval split is never used in training.",
    )
    warm_start: bool = Field(
        False,
        description="Whether to start from the weights of the last model that was blessed before these examples were "
        "made, matched by layer, and in embeddings by value. Weights that are new or of another shape are initialised "
        "as usual, as are all weights of the first run.",
    )
    steps_per_execution: Count = Field(
        32, description="The number of training steps per call into TensorFlow. It is 1 with several replicas."
    )
    jit_compile: bool = Field(False, description="Whether the training step is compiled with XLA.")
    mixed_precision: Literal["none", "bfloat16", "float16"] = Field(
        "none", description="The precision of computations. Variables, losses and outputs are always float32."
    )

    def epochs_for(self, rows: int) -> int:
        """The epochs to train on so many rows: `epochs`, or more to reach `min_steps`."""
        steps = max(1, -(-rows // self.batch_size))
        return max(self.epochs, -(-self.min_steps // steps))

    distribution: Literal["none", "mirrored", "multi_worker"] = Field(
        "none",
        description="The devices that train. none: one device; mirrored: all GPUs of the machine "
        "(tf.distribute.MirroredStrategy); multi_worker: the workers in TF_CONFIG "
        "(tf.distribute.MultiWorkerMirroredStrategy). batch_size is the number of rows of all replicas together.",
    )
