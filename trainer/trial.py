"""A training of which only the figures are used: nothing is exported, logged or checkpointed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow_transform as tft

from trainer.balancings import make_balancing
from trainer.callbacks import ShuffleEpoch
from trainer.config import TrainerConfig
from trainer.decision import choose_decisions
from trainer.heads.base import Head
from trainer.input import TrainingData
from trainer.network import Network, build_network, feature_edges
from trainer.run import make_heads, make_model, train

EPOCHS_APART = 1_000_000
"""The distance between the shuffles of two repetitions, in epochs: the examples are read only once for all."""


@dataclass(frozen=True)
class Trial:
    """A trained network, with the weights of its best epoch.

    Attributes:
        seconds: wall time of the training, validation and the graph's tracing included.
        best_epoch: the epoch whose weights were kept, counted from 1.
        validation_loss: that epoch's task-balanced validation loss.
    """

    structure: Network
    heads: Mapping[str, Head]
    parameters: int
    seconds: float
    epochs: int
    best_epoch: int
    validation_loss: float

    @property
    def network(self) -> keras.Model:
        """Transformed features → each task's raw output."""
        return self.structure.model


def train_trial(
    config: TrainerConfig,
    transform: tft.TFTransformOutput,
    data: TrainingData,
    repetition: int = 0,
    *,
    epochs: int | None = None,
    checkpoints: Path | None = None,
    decide: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Trial:
    """Trains as the Trainer does.

    Args:
        config: what to train; its `seed` is that of repetition 0, which is exactly the Trainer's training.
        transform: the output of the Transform that wrote the examples.
        data: the training split; may hold more tasks than the configuration names.
        repetition: decides the initial weights and the shuffle; the rows held out are always the same.
        epochs: the greatest number that is trained now; by default, the configuration's.
        checkpoints: a folder for this training alone, from which it continues if it was ended earlier.
        decide: whether thresholds of decisions are chosen.
        callbacks: further ones.

    Raises:
        DataError, JanusError: a loss is not finite; see `divergence.fit`.
    """
    keras.backend.clear_session()
    seeded = config.model_copy(update={"seed": config.seed + repetition})
    keras.utils.set_random_seed(seeded.seed)
    heads = make_heads(data, seeded)
    model = make_model(seeded, transform, heads, data)
    started = time.monotonic()
    epochs = epochs or seeded.training.epochs_for(data.rows)
    shuffle = ShuffleEpoch(data.epoch, first=repetition * EPOCHS_APART)
    best, history = train(model, data, seeded, epochs, checkpoints, [shuffle], callbacks)
    if decide:
        choose_decisions(model.network, heads, data.validation)
    return Trial(
        structure=model.structure,
        heads=heads,
        parameters=count_parameters(model.network),
        seconds=time.monotonic() - started,
        epochs=len(history.epochs),
        best_epoch=best.best_epoch + 1,
        validation_loss=best.best,
    )


def count_parameters(network: keras.Model) -> int:
    """The number of trainable parameters."""
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def parameters_of(config: TrainerConfig, transform: tft.TFTransformOutput, data: TrainingData) -> int:
    """The number of trainable parameters of a configuration's network; `data` as for `train_trial`."""
    return count_parameters(_network(config, transform, data, make_heads(data, config)).model)


def effective_balancing(config: TrainerConfig, transform: tft.TFTransformOutput, data: TrainingData) -> str:
    """The kind of balancing that is used for a configuration, which is `fixed` where there is nothing to balance.

    `data` as for `train_trial`.
    """
    if config.model.balancing.kind == "fixed":
        return "fixed"
    heads = make_heads(data, config)
    return str(make_balancing(config, heads, _network(config, transform, data, heads)).settings.kind)


def _network(
    config: TrainerConfig, transform: tft.TFTransformOutput, data: TrainingData, heads: Mapping[str, Head]
) -> Network:
    return build_network(config, transform, heads, feature_edges(config, data.sample))
