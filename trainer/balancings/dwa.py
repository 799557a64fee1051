"""Dynamic weight average."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.balancings.base import BalancedTask, LossWeighting


class Dwa(LossWeighting):
    """Liu, Johns and Davison 2019, "End-to-End Multi-Task Learning with Attention", equation 7.

    In epoch t the weight of task k is λ_k = K · softmax_k(w_k(t-1) / temperature), where w_k(t-1) =
    L_k(t-1) / L_k(t-2) is by how much its mean training loss fell from one epoch to the next, and K the number of
    tasks. In the first two epochs all are 1. The weights sum to K. The losses' scales cancel out: DWA balances the
    rates of learning, not the sizes of losses.

    A task without any label in an epoch (its loss is 0) keeps the loss that was known before. A task whose
    `loss_weight` is 0 has no part in it.
    """

    def __init__(self, settings: Any, tasks: Sequence[BalancedTask], seed: int = 0):
        super().__init__(settings, tasks, seed)
        self._task_weights = self.state("weights", np.ones(len(tasks)))
        # The last epoch's losses and those of the epoch before it; 0 where not yet known.
        self._losses = self.state("losses", np.zeros((2, len(tasks))))

    def task_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """This epoch's weights."""
        return tf.convert_to_tensor(self._task_weights)

    def end_epoch(self, losses: Mapping[str, float]) -> None:
        """Computes the next epoch's weights."""
        last = self._losses.numpy()[0]
        mean = np.array([losses[task.name] for task in self.tasks])
        recent = np.where(mean > 0, mean, last)
        self._losses.assign(np.stack([recent, last]))
        counted = self.priors > 0
        known = (recent > 0) & (last > 0)
        if not known.any():
            return
        ratios = np.where(known, recent / np.where(known, last, 1.0), 1.0) / self.settings.temperature
        exponentials = np.exp(np.where(counted, ratios - ratios[counted].max(), -np.inf))
        self._task_weights.assign(np.where(counted, counted.sum() * exponentials / exponentials.sum(), 1.0))
