"""Edges, the encoding itself, and its kernel at other edges."""

import keras
import numpy as np
import pytest

from trainer.encoders.cyclical import turn
from trainer.encoders.piecewise_linear import EDGES, UNITS, PiecewiseLinear, edges_of, moved_kernel


def normal(rows: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=rows).astype(np.float32)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([3.0, 3.0], [3.0]),
        ([0.0, 1.0, 1.0], [0.0, 1.0]),
        # Apart by less than float32 can tell once they are scaled.
        ([1.0, 1.0 + 2e-7, 2.0], [1.0, 2.0]),
    ],
)
def test_few_values_are_edges_themselves(values: list[float], expected: list[float]) -> None:
    assert edges_of(np.array(values, np.float32)).tolist() == expected


def test_edges_lie_where_rows_are_and_where_values_are() -> None:
    # 99 % of the rows are 0: quantiles of the rows alone would be one edge.
    values = np.concatenate([np.zeros(99_000, np.float32), np.linspace(1, 100, 1000, dtype=np.float32)])
    edges = edges_of(values)
    assert EDGES // 2 <= len(edges) <= EDGES
    assert (np.diff(edges) > 0).all()
    assert edges[0] == 0
    assert edges[-1] == 100
    spread = edges_of(normal(10_000))
    assert len(spread) > EDGES * 0.9


def test_a_bin_is_0_below_1_above_and_linear_within() -> None:
    layer = PiecewiseLinear([np.array([0, 1, 3], np.float32), np.array([-1, 1], np.float32)], "encoding")
    layer.build((None, 2))
    kernel = np.zeros((2, 2, UNITS), np.float32)
    kernel[0, 0, 0], kernel[0, 1, 1], kernel[1, 0, 2] = 1, 1, 1
    layer.kernel.assign(kernel)
    encoded = np.asarray(layer(np.array([[-5, 0], [0.5, -9], [2, 9], [9, 1]], np.float32)))
    assert encoded.shape == (4, 2 * UNITS)
    assert encoded[:, 0].tolist() == [0, 0.5, 1, 1]
    assert encoded[:, 1].tolist() == [0, 0, 0.5, 1]
    assert encoded[:, UNITS + 2].tolist() == [0.5, 0, 1, 1]


def test_a_kernel_at_more_edges_is_the_same_function() -> None:
    edges = [np.arange(4, dtype=np.float32), edges_of(normal(1000))]
    finer = [np.array([0, 0.5, 1, 1.5, 2, 3], np.float32), edges[1]]
    before, after = PiecewiseLinear(edges, "before"), PiecewiseLinear(finer, "after")
    inputs = np.stack([np.linspace(-1, 4, 50), np.linspace(-3, 3, 50)], axis=1).astype(np.float32)
    expected = np.asarray(before(inputs))
    after.build((None, 2))
    after.kernel.assign(moved_kernel(before.kernel.numpy(), edges, finer))
    np.testing.assert_allclose(np.asarray(after(inputs)), expected, atol=1e-5)


def test_the_place_on_a_circle_is_a_share_of_a_turn() -> None:
    angles = np.array([0.0, 0.25, 0.5, 0.75, 1.0]) * 2 * np.pi
    points = np.stack([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    missing = np.zeros((1, 2), np.float32)
    shares = keras.ops.convert_to_numpy(turn(np.concatenate([points, missing])))
    # The end of a turn is its beginning.
    np.testing.assert_allclose(shares[:, 0], [0, 0.25, 0.5, 0.75, 0, 0], atol=1e-6)
