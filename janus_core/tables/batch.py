"""A stretch of rows on its way from the file to the shard."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
