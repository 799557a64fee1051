"""Cross-stitch networks."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trainer.config import CrossStitchTrunk
from trainer.trunks.base import Encode, Trunk
from trainer.trunks.experts import expert_layer


class CrossStitch(keras.layers.Layer):
    """Trained linear combinations of the tasks' activations, the same for every row and unit.

    `initial` is [tasks, tasks], or [tasks] for one combination alone.
    """

    def __init__(self, initial: np.ndarray, name: str):
        super().__init__(name=name)
        self._initial = initial

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Makes the weights."""
        del input_shape
        self.alpha = self.add_weight(
            shape=self._initial.shape, initializer=keras.initializers.Constant(self._initial), name="alpha"
        )

    def call(self, inputs: Any) -> Any:
        """[tasks, batch, units] → the same shape, or [batch, units] for one combination."""
        return ops.tensordot(self.alpha, inputs, axes=1)


def cross_stitch(config: CrossStitchTrunk, encode: Encode, tasks: Sequence[str]) -> Trunk:
    """A stack of layers per task on shared encoders; after each layer a cross-stitch unit mixes the stacks.

    Misra et al. 2016, "Cross-stitch Networks for Multi-task Learning", eq. 1: task A's activations become α_AA · x_A +
    α_AB · x_B, where each α is trained and begins as a convex combination: `alpha` from the task's own stack, the rest
    evenly from the others (0.9 and 0.1 did best in the paper's ablation). One α per pair of tasks and layer. The paper
    trains the α at a higher learning rate than the layers; here all learn at the same.

    The last unit is a layer per task: its combinations are the tasks' own, everything before it is shared.
    """
    initial = initial_alpha(config.alpha, len(tasks))
    hidden = encode("")
    for depth in range(len(config.units)):
        if depth:
            hidden = CrossStitch(initial, name=f"stitch_{depth - 1}")(hidden)
        hidden, layer = expert_layer(config, depth, len(tasks), hidden, prefix="stitched_")
    towers = {task: CrossStitch(row, name=f"{task}.stitch")(hidden) for task, row in zip(tasks, initial, strict=True)}
    return Trunk(towers=towers, last_shared=[layer])


def initial_alpha(own: float, tasks: int) -> np.ndarray:
    """float32 [tasks, tasks], rows summing to 1: `own` on the diagonal, which is 1 for a single task."""
    if tasks == 1:
        return np.ones((1, 1), np.float32)
    others = (1 - own) / (tasks - 1)
    return np.where(np.eye(tasks, dtype=bool), own, others).astype(np.float32)
