"""Piecewise-linear encoding of numbers (Gorishniy et al. 2022, "On Embeddings for Numerical Features")."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

EDGES = 48
"""At most so many per feature, half at quantiles of the rows and half at quantiles of the distinct values."""
UNITS = 8
"""Numbers that the encoding gives per feature."""
_LEAST_WIDTH = 1e-6
"""Of a bin, in the feature's scaled unit: narrower ones would make a step of what is rounding."""


def edges_of(values: np.ndarray, count: int = EDGES) -> np.ndarray:
    """The edges of a feature's bins, strictly ascending, at most `count`, an even number.

    Quantiles of the rows alone leave long tails in one bin; those of the distinct values alone spend bins where hardly
    any row lies. Where there are few distinct values, each is an edge.

    Returns:
        float32 [edges] of finite values, float32 [rows]; one edge for a feature with one value, none for no rows.
    """
    distinct = np.unique(values)
    if len(distinct) <= count:
        edges = distinct
    else:
        shares = np.linspace(0.0, 1.0, count // 2)
        # In between, so that a feature whose values are all distinct gets edges at other places too.
        between = (np.arange(count // 2) + 0.5) / (count // 2)
        parts = [np.quantile(values, shares, method="nearest"), np.quantile(distinct, between, method="nearest")]
        edges = np.unique(np.concatenate(parts))
    kept: list[float] = []
    for edge in edges.tolist():
        if not kept or edge - kept[-1] > _LEAST_WIDTH:
            kept.append(edge)
    return np.array(kept, np.float32)


class PiecewiseLinear(keras.layers.Layer):
    """Encodes several numbers, each by its own bins and a linear map of its own.

    A bin's input is 0 below it, 1 above it, and linear within it. Inputs are float32 [batch, features]; outputs
    [batch, features · UNITS]. One layer holds all features: one for each would cost a step of a small network.
    """

    def __init__(self, edges: Sequence[np.ndarray], name: str):
        """`edges` holds each feature's, at least two."""
        super().__init__(name=name)
        self.edges = list(edges)
        bins = max(map(len, edges)) - 1
        self._low = np.zeros((len(edges), bins), np.float32)
        # A feature with fewer bins than another has some that are always 0.
        self._inverse_width = np.zeros((len(edges), bins), np.float32)
        for index, one in enumerate(edges):
            self._low[index, : len(one) - 1] = one[:-1]
            self._inverse_width[index, : len(one) - 1] = 1 / np.diff(one)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Makes the maps' kernels, float32 [features, bins, UNITS], as Glorot and Bengio's uniform (2010)."""
        features, bins = self._low.shape
        limit = math.sqrt(6 / (bins + UNITS))
        self.kernel = self.add_weight(
            shape=(features, bins, UNITS), initializer=keras.initializers.RandomUniform(-limit, limit), name="kernel"
        )

    def call(self, inputs: Any) -> Any:
        """float32 [batch, features] → [batch, features · UNITS]."""
        # Features first: neither the bins nor the kernel, which are large, are transposed.
        columns = ops.expand_dims(ops.transpose(ops.cast(inputs, "float32")), -1)
        within = (columns - self._low[:, None]) * self._inverse_width[:, None]
        within = ops.cast(ops.clip(within, 0.0, 1.0), self.compute_dtype)
        mapped = ops.matmul(within, self.kernel)
        return ops.reshape(ops.transpose(mapped, (1, 0, 2)), (-1, len(self._low) * UNITS))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """See Keras."""
        return input_shape[0], len(self._low) * UNITS


def moved_kernel(kernel: np.ndarray, old: Sequence[np.ndarray], new: Sequence[np.ndarray]) -> np.ndarray:
    """A kernel for other edges that gives the same piecewise-linear functions at these edges.

    Args:
        kernel: float32 [features, bins, UNITS], trained with the old edges.
        old, new: each feature's edges.

    Returns:
        float32 [features, new bins, UNITS].
    """
    moved = np.zeros((len(new), max(map(len, new)) - 1, kernel.shape[2]), np.float32)
    for index, (before, edges) in enumerate(zip(old, new, strict=True)):
        heights = np.concatenate([np.zeros((1, UNITS)), np.cumsum(kernel[index, : len(before) - 1], axis=0)])
        at_edges = np.stack([np.interp(edges, before, column) for column in heights.T], axis=1)
        moved[index, : len(edges) - 1] = np.diff(at_edges, axis=0)
    return moved
