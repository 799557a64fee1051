"""Which rows of a batch are in which slices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import tensorflow_model_analysis as tfma

from components.metrics.rows import Membership

SliceKey = tuple[tuple[str, str | int | float], ...]
"""Pairs of column and value, ordered by column, as TFMA writes them."""


@dataclass(frozen=True)
class BatchFeatures:
    """Where TFMA looks for the columns of slices: in all transformed features, else in the raw ones.

    Attributes:
        transformed: of each model, column → batch of values.
        raw: column → batch of values.
    """

    transformed: Sequence[Mapping[str, Any]]
    raw: Mapping[str, Any]

    def get(self, column: str) -> list[Any]:
        """The column's batches of values; none if nothing has it."""
        found = [features[column] for features in self.transformed if features.get(column) is not None]
        return found or ([self.raw[column]] if self.raw.get(column) is not None else [])


@dataclass(frozen=True)
class _Values:
    """Pairs of a row and one of its values, each pair once, ordered by row.

    Attributes:
        rows: int64 [m].
        codes: int64 [m], places in `keys`.
        keys: the slice of each code.
    """

    rows: np.ndarray
    codes: np.ndarray
    keys: list[SliceKey]


def find_slices(
    count: int, features: BatchFeatures, slices: Sequence[Sequence[str]]
) -> tuple[list[SliceKey], Membership]:
    """The slices that occur in a batch, and their rows.

    A row that has several values of a column is in the slice of each; a row without a value is in none.

    Args:
        count: number of rows.
        features: the columns.
        slices: columns of each kind of slice, in alphabetical order; no column stands for all rows.
    """
    columns = {name: _column(name, count, features) for name in {name for names in slices for name in names}}
    keys: list[SliceKey] = []
    rows, groups = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for names in slices:
        found = _Values(np.arange(count), np.zeros(count, np.int64), [()])
        for name in names:
            found = _join(count, found, columns[name])
        rows.append(found.rows)
        groups.append(found.codes + len(keys))
        keys += found.keys
    return keys, Membership(np.concatenate(rows), np.concatenate(groups), len(keys))


def _join(count: int, left: _Values, right: _Values) -> _Values:
    """Every pair of values that a row has on both sides."""
    per_row = np.bincount(right.rows, minlength=count)
    first = np.cumsum(per_row) - per_row
    repeats = per_row[left.rows]
    from_left = np.repeat(np.arange(len(left.rows)), repeats)
    within = np.arange(len(from_left)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    from_right = first[left.rows[from_left]] + within
    pairs = left.codes[from_left] * max(len(right.keys), 1) + right.codes[from_right]
    unique, codes = np.unique(pairs, return_inverse=True)
    keys = [left.keys[pair // len(right.keys)] + right.keys[pair % len(right.keys)] for pair in unique.tolist()]
    return _Values(left.rows[from_left], codes.ravel(), keys)


def _column(name: str, count: int, features: BatchFeatures) -> _Values:
    found = [_flat(batch, count) for batch in features.get(name)]
    if not found:
        return _Values(np.zeros(0, np.int64), np.zeros(0, np.int64), [])
    rows = np.concatenate([rows for rows, _ in found])
    codes, uniques = pd.factorize(np.concatenate([values for _, values in found]))
    # A value that is missing, such as NaN, has the code -1.
    pairs = np.unique(np.stack([rows, codes], axis=1)[codes >= 0], axis=0)
    return _Values(pairs[:, 0], pairs[:, 1], [((name, _name(value)),) for value in uniques.tolist()])


def _flat(batch: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The row of each value, and the values."""
    if isinstance(batch, (tfma.VarLenTensorValue, tfma.SparseTensorValue)):
        return np.asarray(batch.indices)[:, 0], np.asarray(batch.values)
    if isinstance(batch, tfma.RaggedTensorValue):
        splits, *inner = batch.nested_row_splits
        for deeper in inner:
            splits = deeper[splits]
        return np.repeat(np.arange(count), np.diff(splits)), np.asarray(batch.values)
    values = np.asarray(batch)
    if values.dtype == object and values.ndim == 1 and any(isinstance(value, np.ndarray) for value in values):
        # Without a schema TFMA gives one array per row, and None where there is no value.
        sizes = [0 if value is None else len(value) for value in values]
        return np.repeat(np.arange(count), sizes), np.concatenate([value for value in values if value is not None])
    values = values.reshape(count, -1)
    return np.repeat(np.arange(count), values.shape[1]), values.ravel()


def _name(value: Any) -> str | int | float:
    # TFMA stops at bytes that are not UTF-8; a slice with an odd name is better than no evaluation.
    return value.decode("utf-8", errors="backslashreplace") if isinstance(value, bytes) else value
