"""A stretch of rows on its way from the file to the shard."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa


@dataclass(frozen=True)
class Batch:
    """Columns of int64, float64, binary or lists of them, as exact as the file's (float32 in tf.Examples that were
    read); a column that is absent is missing in every row.

    `locate` names a row (from 0) for messages: its file and line or row. `records` are the rows already encoded.
    """

    columns: Mapping[str, pa.Array]
    rows: int
    locate: Callable[[int], str]
    records: pa.Array | None = None

    def with_columns(self, columns: Mapping[str, pa.Array]) -> "Batch":
        """The same rows with other columns."""
        return replace(self, columns=columns)

    def in_parts(self, rows: int) -> Iterator["Batch"]:
        """The same rows, at most so many at a time."""
        for start in range(0, self.rows, rows):
            count = min(rows, self.rows - start)
            yield Batch(
                {name: column.slice(start, count) for name, column in self.columns.items()},
                count,
                partial(_located, self.locate, start),
                None if self.records is None else self.records.slice(start, count),
            )


def _located(locate: Callable[[int], str], start: int, row: int) -> str:
    return locate(start + row)
