"""64-bit hashes of whole rows of Arrow columns, the same in every process and on every machine."""

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from janus_core.tables.lists import flat_values

_STEP = np.uint64(0x9E3779B97F4A7C15)


def row_hashes(batch: pa.RecordBatch, columns: Iterable[str], digits: int | None = None) -> np.ndarray:
    """A hash of each row's values, uint64 [n]; a missing value, NaN and an absent column count for nothing.

    Args:
        batch: columns of lists of int64, float32 or binary, [n] each.
        columns: those that count.
        digits: significant digits to which fractions are rounded, None for all of them. Whole numbers are not rounded:
            many of them are identifiers and codes.
    """
    total = np.zeros(batch.num_rows, np.uint64)
    for name in columns:
        place = batch.schema.get_field_index(name)
        if place >= 0:
            total += _cells(batch.column(place), _of_texts([name])[0], digits)
    return _mix(total)


def rounded(values: np.ndarray, digits: int) -> np.ndarray:
    """Finite float64 numbers to so many significant digits, [n]."""
    mantissa, exponent = _parts(values, digits)
    power = exponent - (digits - 1)
    # A division by a power of ten gives the decimal itself, a product with 0.001 its neighbour.
    return np.where(power < 0, mantissa / 10.0 ** np.maximum(-power, 0), mantissa * 10.0 ** np.maximum(power, 0))


def _cells(column: pa.Array, salt: np.uint64, digits: int | None) -> np.ndarray:
    """A hash of each row's list, in which the order counts; 0 of an empty one and of null."""
    values, offsets = flat_values(column)
    hashes, lengths = _of_values(values, digits), np.diff(offsets)
    if len(lengths) and lengths.max() > 1:
        places = np.arange(len(hashes), dtype=np.uint64) - np.repeat(offsets[:-1], lengths).astype(np.uint64)
        hashes = np.where(hashes == 0, hashes, hashes + places * _STEP)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(np.where(hashes == 0, hashes, _mix(hashes)))])
    lists = sums[offsets[1:]] - sums[offsets[:-1]]
    return np.where(lists == 0, lists, _mix(lists + salt))


def _of_values(values: pa.Array, digits: int | None) -> np.ndarray:
    """A hash of each value, 0 of NaN."""
    if pa.types.is_integer(values.type):
        return _mix(values.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64) + _STEP)
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
        return np.where(np.isnan(numbers), np.uint64(0), _of_numbers(numbers, digits))
    encoded = values.dictionary_encode()
    texts = _of_texts(encoded.dictionary.to_pylist())
    return texts[encoded.indices.to_numpy(zero_copy_only=False)]


def _of_numbers(numbers: np.ndarray, digits: int | None) -> np.ndarray:
    if digits is None:
        # -0.0 is 0.0.
        return _mix((numbers + 0.0).view(np.uint64) + _STEP)
    finite = np.isfinite(numbers)
    mantissa, exponent = _parts(np.where(finite, numbers, 0.0), digits)
    whole = mantissa.astype(np.int64).view(np.uint64) + _mix(exponent.astype(np.int64).view(np.uint64))
    return _mix(np.where(finite, whole, numbers.view(np.uint64)) + _STEP)


def _parts(numbers: np.ndarray, digits: int) -> tuple[np.ndarray, np.ndarray]:
    """Mantissa, a whole number of at most `digits` digits, and exponent; both 0 of 0."""
    there = numbers != 0
    exponent = np.floor(np.log10(np.abs(np.where(there, numbers, 1.0))))
    mantissa = np.rint(numbers * 10.0 ** (digits - 1 - exponent))
    # 9.9999 is rounded to 10.00, which is the same as 1.000 of the next exponent.
    over = np.abs(mantissa) >= 10**digits
    return np.where(over, mantissa / 10, mantissa), np.where(there, exponent + over, 0.0)


def _of_texts(texts: Collection[str | bytes]) -> np.ndarray:
    return pd.util.hash_array(np.array([*texts, None], object)[:-1], categorize=False) | np.uint64(1)


def _mix(numbers: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014), which maps 0 to 0."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
