"""Real rows to test a model with."""

from collections.abc import Sequence

from tfx import types
from tfx.types import artifact_utils

from janus_core.errors import DataError
from janus_core.examples.records import record_batches
from janus_core.examples.shards import shard_files


def first_rows(examples: Sequence[types.Artifact], split: str, count: int) -> list[bytes]:
    """The first rows of a split, in the order of its files, as serialized tf.Examples; all where there are fewer.

    Raises:
        DataError: the split is empty or damaged.
    """
    rows: list[bytes] = []
    for uri in artifact_utils.get_split_uris(list(examples), split):
        for path in shard_files(uri):
            for batch in record_batches(path):
                rows += batch[: count - len(rows)].numpy().tolist()
                if len(rows) == count:
                    return rows
    if not rows:
        raise DataError(f"the {split} split has no rows, so that the model cannot be tested")
    return rows
