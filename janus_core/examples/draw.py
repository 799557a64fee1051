"""Draws a seeded sample of the rows of a split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from janus_core.examples.records import record_batches
from janus_core.examples.shards import shard_files

READ_PER_SAMPLED = 25
"""Of a large split, whole files are read until there are so many times as many rows as are sampled."""

ROWS_PER_CALL = 2048


@dataclass(frozen=True)
class Drawn:
    """Rows that were drawn from a split, in its order.

    Attributes:
        records: serialized tf.Examples.
        places: int64 [n, 2], of each its file among the split's, and its place in the file.
        read: how many rows they were drawn from.
    """

    records: list[bytes]
    places: np.ndarray
    read: int


def draw_rows(split_uri: str, wanted: int, seed: int, whole: bool = False) -> Drawn:
    """`draw_from` of the files of a split, in a folder."""
    return draw_from(shard_files(split_uri), wanted, seed, whole)


def draw_from(files: Sequence[str], wanted: int, seed: int, whole: bool = False) -> Drawn:
    """Draws rows without replacement.

    Args:
        files: those of the split.
        wanted: how many; fewer where the split has fewer.
        seed: of the draw, and of the order in which a large split's files are read.
        whole: whether all of a large split is read: its files may be of different times.

    Raises:
        DataError: there is no file, or one is damaged.
    """
    random = np.random.default_rng(seed)
    taken, read, priorities = [], 0, np.empty(0)
    for file in random.permutation(len(files)):
        before = read
        for batch in record_batches(files[file]):
            keys = random.random(len(batch))
            # The rows with the least keys are a uniform draw, of which only as many are held as are wanted.
            limit = np.partition(np.append(priorities, keys), wanted - 1)[wanted - 1] if read >= wanted else 1.0
            near = np.flatnonzero(keys <= limit)
            records = batch.numpy()[near].tolist()
            taken += [
                (key, int(file), read - before + int(row), record)
                for key, row, record in zip(keys[near], near, records, strict=True)
            ]
            read += len(keys)
            if len(taken) > 2 * wanted:
                taken = sorted(taken)[:wanted]
            priorities = np.array([key for key, *_ in taken])
        if not whole and read >= READ_PER_SAMPLED * wanted:
            break
    chosen = sorted(sorted(taken)[:wanted], key=lambda item: item[1:3])
    places = np.array([item[1:3] for item in chosen], np.int64).reshape(-1, 2)
    return Drawn([record for *_, record in chosen], places, read)


def in_calls(records: Sequence[bytes], call: Callable[[np.ndarray], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The results of a model's calls with some of the records at a time, put together by their names."""
    parts = [
        call(np.array(records[start : start + ROWS_PER_CALL], object))
        for start in range(0, len(records), ROWS_PER_CALL)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
