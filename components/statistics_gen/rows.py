"""What is known of a split's rows beyond TFDV's statistics: which are the same, and how the labels are distributed."""

import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from tfx.dsl.io import fileio

from components.statistics_gen.row_hashes import rounded, row_hashes
from janus_core.strict import StrictModel
from janus_core.tables.lists import flat_values

ROWS_FILE = "rows.npz"
"""Beside TFDV's statistics of a split."""

MOST_HASHES = 1 << 20
"""Of more different rows than this, those are kept whose hash ends in so many zero bits that no more are left: the same
rows of every split, so that what they have in common can be estimated from them."""

LABEL_DIGITS = 4
"""Numeric labels are counted by their value to so many significant digits."""

_PENDING = 64


class RowsConfig(StrictModel):
    """What is counted.

    Attributes:
        features: columns in which rows are compared, fractions to `digits` significant digits.
        key: columns of a key, which no two splits should share; none: it is not compared.
        labels: label column → the separator where it holds several classes in one string.
        digits: of fractions.
    """

    features: list[str]
    key: list[str] = []
    labels: dict[str, str | None] = {}
    digits: int = 6


@dataclass(frozen=True)
class HashCounts:
    """How often each hash was seen.

    Attributes:
        hashes: different hashes, ascending, uint64 [n].
        counts: rows of each, int64 [n].
        bits: only hashes that end in so many zero bits are kept.
    """

    hashes: np.ndarray
    counts: np.ndarray
    bits: int = 0

    @property
    def repeated(self) -> float:
        """The share of rows that are the same as an earlier one."""
        rows = int(self.counts.sum())
        return (rows - len(self.hashes)) / rows if rows else 0.0

    def share_in(self, other: "HashCounts") -> float:
        """The share of rows that `other` has too."""
        bits = max(self.bits, other.bits)
        mine, theirs = self._thinned(bits), other._thinned(bits)
        rows = int(mine.counts.sum())
        shared = int(mine.counts[np.isin(mine.hashes, theirs.hashes, assume_unique=True)].sum())
        return shared / rows if rows else 0.0

    def _thinned(self, bits: int) -> "HashCounts":
        kept = self.hashes & np.uint64((1 << bits) - 1) == 0
        return HashCounts(self.hashes[kept], self.counts[kept], bits)


def count_hashes(parts: Iterable[HashCounts], most: int = MOST_HASHES) -> HashCounts:
    """All parts as one."""
    given = list(parts)
    bits = max((part.bits for part in given), default=0)
    given = [part._thinned(bits) for part in given]
    hashes = np.concatenate([np.empty(0, np.uint64), *(part.hashes for part in given)])
    counts = np.concatenate([np.empty(0, np.int64), *(part.counts for part in given)])
    distinct, places = np.unique(hashes, return_inverse=True)
    result = HashCounts(distinct, np.bincount(places, counts, len(distinct)).astype(np.int64), bits)
    while len(result.hashes) > most:
        result = result._thinned(result.bits + 1)
    return result


@dataclass
class LabelCounts:
    """How often each label was seen: of numbers each value to four digits, of classes each class."""

    rows: int = 0
    values: Counter[Any] = field(default_factory=Counter)

    def __add__(self, other: "LabelCounts") -> "LabelCounts":
        return LabelCounts(self.rows + other.rows, self.values + other.values)


@dataclass
class Rows:
    """Of a split, or of a part of it.

    Attributes:
        exact: hashes of all columns.
        features: hashes of the features, fractions rounded.
        key: hashes of the key, of rows that have one.
        labels: by column.
    """

    exact: HashCounts
    features: HashCounts
    key: HashCounts
    labels: dict[str, LabelCounts]


def rows_of(batch: pa.RecordBatch, config: RowsConfig) -> Rows:
    """What there is in a batch of columns of lists."""
    names = batch.schema.names
    labels = {
        name: _count_labels(batch.column(names.index(name)), separator)
        for name, separator in config.labels.items()
        if name in names
    }
    keys = row_hashes(batch, config.key)
    return Rows(
        exact=_counted(row_hashes(batch, names)),
        features=_counted(row_hashes(batch, config.features, config.digits)),
        # Rows without a key have none in common.
        key=_counted(keys[keys != 0]),
        labels=labels,
    )


def merge_rows(parts: Iterable[Rows]) -> Rows:
    """All parts as one."""
    given = list(parts)
    labels: dict[str, LabelCounts] = {}
    for part in given:
        for name, counts in part.labels.items():
            labels[name] = labels.get(name, LabelCounts()) + counts
    exact, features, key = (count_hashes(getattr(part, of) for part in given) for of in ("exact", "features", "key"))
    return Rows(exact, features, key, labels)


def _counted(hashes: np.ndarray) -> HashCounts:
    return count_hashes([HashCounts(hashes, np.ones(len(hashes), np.int64))])


def _count_labels(column: pa.Array, separator: str | None) -> LabelCounts:
    values, offsets = flat_values(column)
    rows = int((np.diff(offsets) > 0).sum())
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
        numbers = numbers[np.isfinite(numbers)]
        if pa.types.is_floating(values.type):
            numbers = rounded(numbers, LABEL_DIGITS)
        distinct, counts = np.unique(numbers, return_counts=True)
        return LabelCounts(rows, Counter(dict(zip(distinct.tolist(), counts.tolist(), strict=True))))
    found: Counter[Any] = Counter()
    for entry in values.value_counts().to_pylist():
        text = entry["values"].decode("utf-8", "replace")
        for part in {one.strip() for one in text.split(separator)} if separator else {text}:
            found[part] += entry["counts"]
    return LabelCounts(rows, found)


class CombineRows(beam.CombineFn):
    """Batches of a split → its `Rows`."""

    def __init__(self, config: RowsConfig):
        super().__init__()
        self._config = config

    def create_accumulator(self) -> list[Rows]:
        return []

    def add_input(self, accumulator: list[Rows], batch: pa.RecordBatch) -> list[Rows]:
        accumulator.append(rows_of(batch, self._config))
        return accumulator if len(accumulator) < _PENDING else [merge_rows(accumulator)]

    def merge_accumulators(self, accumulators: Iterable[list[Rows]]) -> list[Rows]:
        return [merge_rows(part for accumulator in accumulators for part in accumulator)]

    def extract_output(self, accumulator: list[Rows]) -> Rows:
        return merge_rows(accumulator)


def write_rows(rows: Rows, folder: str) -> None:
    """Writes them beside the statistics of a split."""
    labels = {
        name: {"rows": counts.rows, "values": list(counts.values), "counts": list(counts.values.values())}
        for name, counts in sorted(rows.labels.items())
    }
    arrays: dict[str, Any] = {"labels": np.array(json.dumps(labels))}
    for name in ("exact", "features", "key"):
        counts: HashCounts = getattr(rows, name)
        arrays |= {f"{name}_hashes": counts.hashes, f"{name}_counts": counts.counts, f"{name}_bits": counts.bits}
    fileio.makedirs(folder)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with fileio.open(f"{folder}/{ROWS_FILE}", "wb") as file:
        file.write(buffer.getvalue())


def read_rows(statistics_uri: str, split: str) -> Rows | None:
    """Those of a split of a statistics artifact; None if it has none, as those of an earlier version."""
    path = f"{statistics_uri}/Split-{split}/{ROWS_FILE}"
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as arrays:
        labels = {
            name: LabelCounts(given["rows"], Counter(dict(zip(given["values"], given["counts"], strict=True))))
            for name, given in json.loads(str(arrays["labels"])).items()
        }
        exact, features, key = (
            HashCounts(arrays[f"{name}_hashes"], arrays[f"{name}_counts"], int(arrays[f"{name}_bits"]))
            for name in ("exact", "features", "key")
        )
    return Rows(exact, features, key, labels)
