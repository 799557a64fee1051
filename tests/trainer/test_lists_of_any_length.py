"""Columns of lists of any length in a request."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.assertions import Column, per_row, require_values

CODES = Column("codes", None, False, True)
PRICE = Column("price", 1, True, False)


def checked(codes: list[list[float]], price: list[float]) -> list[np.ndarray]:
    columns = [CODES, PRICE]
    given = [tf.constant(codes, tf.float64), tf.constant(price, tf.float32)]
    values = per_row(list(zip(columns, given, strict=True)))
    require_values(list(zip(columns, values, strict=True)))
    return [one.numpy() for one in values]


def test_each_row_has_its_list() -> None:
    codes, price = checked([[1, 2, np.nan], [3, np.nan, np.nan]], [1.5, 2.5])
    np.testing.assert_array_equal(codes, [[1, 2, np.nan], [3, np.nan, np.nan]])
    assert price.shape == (2, 1)


def test_one_row_stands_for_all_and_a_list_may_be_empty() -> None:
    codes, _ = checked([[np.nan]], [1.5, 2.5, 3.5])
    assert codes.shape == (3, 1)
    codes = per_row([(CODES, tf.zeros([2, 0], tf.float64)), (PRICE, tf.constant([1.0, 2.0]))])[0]
    assert codes.shape == (2, 0)


@pytest.mark.parametrize(
    ("codes", "price", "words"),
    [
        ([[1, 0.5], [2, 2]], [1.0, 2.0], "column codes is 0.5, not a whole number"),
        ([[1, np.inf], [2, 2]], [1.0, 2.0], "column codes is inf"),
        ([[1], [2]], [1.0, 2.0, 3.0], "column codes has 2 rows, but column price has 3"),
    ],
)
def test_refused(codes: list[list[float]], price: list[float], words: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        checked(codes, price)
