"""Which rows belong to eval: by a seeded hash of their key, or by a point in time."""

import hashlib
import math
import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.bad_rows import BadRows
from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from janus_core.tables.column_kinds import kind_of_type
from janus_core.tables.config import HashSplit, Split, TimeSplit
from janus_core.tables.lists import flat_values, is_list, list_offsets
from janus_core.tables.times import Times, parse_times

_INTEGER = re.compile(rb"-?(0|[1-9]\d{0,18})")

_MISSING = np.uint64(0x9E3779B97F4A7C15)


def eval_rows(batch: Batch, split: Split, seed: int) -> tuple[np.ndarray, list[BadRows]]:
    """bool [rows], true where the row belongs to eval, and the rows whose key or time is missing.

    Raises DataError where the time column cannot be compared with `eval_from`, and TypeError for a split by span, which
    the rows do not show.
    """
    if isinstance(split, HashSplit):
        return _by_hash(batch, split, seed)
    if isinstance(split, TimeSplit):
        return _by_time(batch, split)
    raise TypeError("in a split by span, a row's file decides where it belongs")


# --- by hash ----------------------------------------------------------------------------------------------------


def _by_hash(batch: Batch, split: HashSplit, seed: int) -> tuple[np.ndarray, list[BadRows]]:
    names = sorted(split.key or batch.columns)
    state = np.full(batch.rows, _text_hash(str(seed).encode()))
    missing = np.full(batch.rows, bool(split.key))
    for name in names:
        column = batch.columns.get(name)
        if column is None:
            continue
        hashes = column_hashes(column)
        present = hashes != _MISSING
        missing &= ~present
        # The name distinguishes a value in one column from the same in another. A missing value adds nothing, since a
        # column that is missing throughout may be there or not, by where the file is cut into batches.
        state += np.where(present, _mix(hashes ^ _text_hash(name.encode())), np.uint64(0))
    state = _mix(state)
    bad_rows = []
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        keys = ", ".join(f"'{name}'" for name in names)
        bad_rows.append(BadRows("missing_key", keys, "", int(missing.sum()), batch.locate(row)))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53 < split.eval_fraction, bad_rows


def column_hashes(column: pa.Array) -> np.ndarray:
    """uint64 [rows]: a hash of each value, the same on every machine and for 7, 7.0 and "7"."""
    if is_list(column.type):
        return _list_hashes(column)
    encoded = column.dictionary_encode()
    hashes = _HASHES[kind_of_type(column.type) or "bytes"](encoded.dictionary)
    indices = encoded.indices.fill_null(len(hashes)).to_numpy(zero_copy_only=False)
    return np.append(hashes, _MISSING)[indices]


def _list_hashes(column: pa.Array) -> np.ndarray:
    values, offsets = flat_values(column)
    flat = column_hashes(values)
    sizes = np.diff(offsets)
    starts = np.repeat(offsets[:-1], sizes)
    places = np.arange(len(flat)) - starts
    # A lone value hashes as itself, so that one-element lists of a tf.Example agree with plain columns.
    salted = np.where(places == 0, flat, _mix(flat + places.astype(np.uint64)))
    totals = np.concatenate([np.zeros(1, np.uint64), np.cumsum(salted, dtype=np.uint64)])
    hashes = totals[offsets[1:]] - totals[offsets[:-1]]
    hashes[sizes == 0] = _MISSING
    return hashes


def _int_hashes(values: pa.Array) -> np.ndarray:
    return _mix(values.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64))


def _float_hashes(values: pa.Array) -> np.ndarray:
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
    # Whole numbers are exact, fractions as float32: so 0.1 is the same in CSV, in Parquet's floats and in a tf.Example.
    with np.errstate(over="ignore"):
        numbers = np.where(np.floor(numbers) == numbers, numbers, numbers.astype(np.float32))
    whole = (np.floor(numbers) == numbers) & (np.abs(numbers) < 2.0**63)
    integers = np.where(whole, numbers, 0).astype(np.int64).view(np.uint64)
    # All NaNs are one value.
    bits = np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)
    return np.where(whole, _mix(integers), _mix(bits ^ _MISSING))


def _text_hashes(values: pa.Array) -> np.ndarray:
    texts = values.to_pylist()
    hashes = np.array([0 if _is_integer(text) else _text_hash(text) for text in texts], np.uint64)
    integers = [i for i, text in enumerate(texts) if _is_integer(text)]
    hashes[integers] = _mix(np.array([int(texts[i]) for i in integers], np.int64).view(np.uint64))
    return hashes


_HASHES: dict[str, Callable[[pa.Array], np.ndarray]] = {
    "int": _int_hashes,
    "float": _float_hashes,
    "bytes": _text_hashes,
}


def _is_integer(text: bytes) -> bool:
    return bool(_INTEGER.fullmatch(text)) and -(2**63) <= int(text) < 2**63


def _text_hash(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


def _mix(values: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection of uint64 that scatters every bit."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


# --- by time ----------------------------------------------------------------------------------------------------


def _by_time(batch: Batch, split: TimeSplit) -> tuple[np.ndarray, list[BadRows]]:
    column = batch.columns.get(split.column)
    column = pa.nulls(batch.rows, pa.float32()) if column is None else _single(column, split, batch)
    missing = column.is_null()
    if kind_of_type(column.type) == "bytes":
        later = _text_later(column, split, batch)
    else:
        missing = pc.or_kleene(missing, pc.is_nan(column)) if pa.types.is_floating(column.type) else missing
        later = _number_later(column, split)
    missing_rows = missing.to_numpy(zero_copy_only=False)
    bad_rows = []
    if missing_rows.any():
        row = int(np.flatnonzero(missing_rows)[0])
        bad_rows.append(BadRows("missing_time", split.column, "", int(missing_rows.sum()), batch.locate(row)))
    return later.fill_null(False).to_numpy(zero_copy_only=False).astype(bool), bad_rows


def _single(column: pa.Array, split: TimeSplit, batch: Batch) -> pa.Array:
    if not is_list(column.type):
        return column
    offsets = list_offsets(column)
    sizes = np.diff(offsets)
    if (sizes > 1).any():
        row = int(np.flatnonzero(sizes > 1)[0])
        raise DataError(f"{batch.locate(row)}: column '{split.column}' has several values, a time split needs one")
    return column.values.take(pa.array(offsets[:-1], mask=sizes == 0))


def _number_later(column: pa.Array, split: TimeSplit) -> pa.BooleanArray:
    try:
        start = float(split.eval_from)
    except ValueError:
        start = math.nan
    if not math.isfinite(start):
        raise DataError(f"data.split.eval_from: '{split.shown}' is text, but column '{split.column}' holds numbers")
    if pa.types.is_integer(column.type):
        # Compared as integers, which floats past 2^53 would blur.
        start = min(max(math.ceil(start), -(2**63)), 2**63 - 1)
        return pc.greater_equal(column, pa.scalar(start, pa.int64()))
    return pc.greater_equal(column.cast(pa.float64()), start)


def _text_later(column: pa.Array, split: TimeSplit, batch: Batch) -> pa.BooleanArray:
    if not isinstance(split.eval_from, str):
        raise DataError(
            f"data.split.eval_from: {split.shown} is a number, but column '{split.column}' holds text such as "
            f"'{_first(column)}'; give a date or time in ISO 8601"
        )
    start = parse_times(pa.array([split.eval_from]))
    if not start.valid[0]:
        raise DataError(f"data.split.eval_from: '{split.eval_from}' is not an ISO 8601 date or time (2013-11-05)")
    encoded = column.cast(pa.binary()).dictionary_encode()
    try:
        values = encoded.dictionary.cast(pa.string())
    except pa.ArrowInvalid as error:
        # A binary column of Parquet, or one that says it is text.
        texts = encoded.dictionary.to_pylist()
        place = next(place for place, text in enumerate(texts) if text != text.decode(errors="replace").encode())
        where = batch.locate(pc.index(encoded.indices, place).as_py())
        raise DataError(f"{where}: column '{split.column}' holds {texts[place]!r}, which is not UTF-8") from error
    times = parse_times(values, split.format)
    if not times.valid.all():
        wrong = values[int(np.flatnonzero(~times.valid)[0])]
        form = f"not of data.split.format '{split.format}'" if split.format else "not an ISO 8601 date or time"
        hint = "" if split.format else " (2013-11-05, 2013-11-05T06:30:00); data.split.format names other forms"
        raise DataError(
            f"{_place(column, wrong, batch)}: column '{split.column}' holds '{wrong}', which is {form}{hint}"
        )
    if start.zoned[0]:
        _check_all_zoned(values, times, split, column, batch)
        later = times.instant >= start.instant[0]
    else:
        _check_one_zone(values, times, split, column, batch)
        later = times.local >= start.local[0]
    return pa.array(later, pa.bool_()).take(encoded.indices)


def _check_all_zoned(values: pa.Array, times: Times, split: TimeSplit, column: pa.Array, batch: Batch) -> None:
    if times.zoned.any() and not times.zoned.all():
        bare = values[int(np.flatnonzero(~times.zoned)[0])]
        raise DataError(
            f"{_place(column, bare, batch)}: column '{split.column}' holds '{bare}', which has no time zone, while "
            "other times have one: write them all alike"
        )


def _check_one_zone(values: pa.Array, times: Times, split: TimeSplit, column: pa.Array, batch: Batch) -> None:
    offsets = np.where(times.zoned, times.local - times.instant, np.iinfo(np.int64).min)
    if len(values) and (offsets != offsets[0]).any():
        other = values[int(np.flatnonzero(offsets != offsets[0])[0])]
        raise DataError(
            f"{_place(column, other, batch)}: column '{split.column}' holds '{other}' and '{values[0]}': times in "
            f"different zones; give data.split.eval_from a zone as well, such as '{split.eval_from}Z', or write them "
            "all in UTC"
        )


def _place(column: pa.Array, value: pa.Scalar, batch: Batch) -> str:
    return batch.locate(pc.index(column.cast(pa.string()), value).as_py())


def _first(column: pa.Array) -> str:
    first = next((value for value in column.to_pylist() if value is not None), b"")
    return first.decode("utf-8", "backslashreplace")
