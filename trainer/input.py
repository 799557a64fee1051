"""The Trainer's input: transformed examples, in memory where they fit, else streamed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.names import label_name, weight_name

PARSE_BATCH = 4096
MEMORY_SHARE = 0.25
"""Examples are kept in memory while they take less than this share of what is available."""
SHUFFLE_BUFFER = 200_000
"""Rows that a streamed shuffle holds."""

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class TrainingData:
    """Batches for training and validation.

    Attributes:
        train: batches of (features, labels, weights), reshuffled when `epoch` changes.
        validation: batches of the same form.
        epoch: int64 scalar variable; the shuffle depends on the seed and on it alone, so that a resumed training
            sees the same batches.
        rows: rows of the training part.
        validation_rows: rows of the validation part.
        labels: label and weight columns of the training part, for label statistics.
        in_memory: whether the examples are held in memory.
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset
    epoch: tf.Variable
    rows: int
    validation_rows: int
    labels: Columns
    in_memory: bool


def read_training_data(
    patterns: Sequence[str],
    spec: Mapping[str, tf.io.FixedLenFeature],
    features: Sequence[str],
    tasks: Sequence[str],
    batch_size: int,
    validation_fraction: float,
    seed: int,
    memory_limit: int | None = None,
) -> TrainingData:
    """Reads the training split.

    Args:
        patterns: files of gzipped TFRecords of transformed tf.Examples.
        spec: their feature spec.
        features: names of the transformed features that the network reads.
        tasks: names of the tasks.
        batch_size: rows of a batch.
        validation_fraction: share of rows that are held out, spread evenly over the split.
        seed: of the shuffle.
        memory_limit: bytes that examples may take in memory; by default a share of what is available.
    """
    names = [*features, *(f(task) for task in tasks for f in (label_name, weight_name))]
    wanted = {name: spec[name] for name in names}
    parsed = _parsed(patterns, wanted)
    limit = memory_limit if memory_limit is not None else int(MEMORY_SHARE * _available_memory())
    columns, label_columns, rows = _collect(parsed, names, limit)
    held_out = _held_out(np.arange(rows), validation_fraction)
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="shuffle_epoch")
    split = _splitter(features, tasks)
    if columns is not None:
        train = _memory_batches(columns, np.flatnonzero(~held_out), batch_size, seed, epoch)
        validation = _memory_batches(columns, np.flatnonzero(held_out), PARSE_BATCH, seed, None)
    else:
        train = _streamed(patterns, wanted, batch_size, validation_fraction, False, seed, epoch)
        validation = _streamed(patterns, wanted, PARSE_BATCH, validation_fraction, True, seed, None)
    # Workers share each batch among them; each reads all files, since a batch is drawn from the whole split.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return TrainingData(
        train=train.map(split, num_parallel_calls=2).prefetch(tf.data.AUTOTUNE).with_options(options),
        validation=validation.map(split, num_parallel_calls=2).prefetch(tf.data.AUTOTUNE).with_options(options),
        epoch=epoch,
        rows=int(rows - held_out.sum()),
        validation_rows=int(held_out.sum()),
        labels={name: values[~held_out] for name, values in label_columns.items()},
        in_memory=columns is not None,
    )


def _records(patterns: Sequence[str]) -> tf.data.Dataset:
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    return tf.data.Dataset.from_tensor_slices(files).interleave(
        lambda file: tf.data.TFRecordDataset(file, compression_type="GZIP", buffer_size=8 << 20),
        cycle_length=4,
        block_length=64,
        num_parallel_calls=2,
        deterministic=True,
    )


def _parsed(patterns: Sequence[str], spec: Mapping[str, tf.io.FixedLenFeature]) -> tf.data.Dataset:
    """Batches of dense columns, in the files' order."""
    return (
        _records(patterns)
        .batch(PARSE_BATCH)
        .map(lambda records: tf.io.parse_example(records, spec), num_parallel_calls=2, deterministic=True)
        .prefetch(2)
    )


def _collect(batches: tf.data.Dataset, names: Sequence[str], limit: int) -> tuple[Columns | None, Columns, int]:
    """All columns, or None if they pass the limit; the label columns; the number of rows."""
    kept: dict[str, list[np.ndarray]] = {name: [] for name in names}
    label_names = [name for name in names if name.endswith(("/label", "/weight"))]
    rows, size, fits = 0, 0, True
    for batch in _numpy(batches):
        rows += len(batch[names[0]])
        size += sum(values.nbytes for values in batch.values())
        if fits and size > limit:
            fits = False
            for name in set(names) - set(label_names):
                kept[name].clear()
        for name in names if fits else label_names:
            kept[name].append(batch[name])
    columns = {name: np.concatenate(parts) for name, parts in kept.items() if parts}
    labels = {name: columns[name].reshape(-1) for name in label_names if name in columns}
    return (columns if fits else None), labels, rows


def _numpy(batches: tf.data.Dataset) -> Iterator[Columns]:
    yield from batches.as_numpy_iterator()


def _held_out(rows: Any, fraction: float) -> Any:
    """Whether each row index is held out: evenly spread, the same for every length of the split."""
    return np.floor((rows + 1) * fraction) > np.floor(rows * fraction)


def _memory_batches(
    columns: Columns, rows: np.ndarray, batch_size: int, seed: int, epoch: tf.Variable | None
) -> tf.data.Dataset:
    tensors = {name: tf.constant(values[rows]) for name, values in columns.items()}
    count = len(rows)

    def order(_: tf.Tensor) -> tf.Tensor:
        indices = tf.range(count)
        if epoch is None:
            return indices
        return tf.random.experimental.stateless_shuffle(indices, seed=[seed, epoch.read_value()])

    return (
        tf.data.Dataset.from_tensors(0)
        .map(order)
        .unbatch()
        .batch(batch_size)
        .map(
            lambda indices: {name: tf.gather(values, indices) for name, values in tensors.items()},
            num_parallel_calls=2,
            deterministic=True,
        )
    )


def _streamed(
    patterns: Sequence[str],
    spec: Mapping[str, tf.io.FixedLenFeature],
    batch_size: int,
    fraction: float,
    held_out: bool,
    seed: int,
    epoch: tf.Variable | None,
) -> tf.data.Dataset:
    def part(index: tf.Tensor, record: tf.Tensor) -> tf.Tensor:
        position = tf.cast(index, tf.float64)
        chosen = tf.floor((position + 1) * fraction) > tf.floor(position * fraction)
        return chosen if held_out else tf.logical_not(chosen)

    records = _records(patterns).enumerate().filter(part).map(lambda index, record: record)
    if epoch is not None:
        unshuffled = records
        records = tf.data.Dataset.from_tensors(0).flat_map(
            lambda _: unshuffled.shuffle(
                SHUFFLE_BUFFER, seed=seed + 1_000_003 * (epoch.read_value() + 1), reshuffle_each_iteration=False
            )
        )
    return records.batch(batch_size).map(
        lambda batch: tf.io.parse_example(batch, spec), num_parallel_calls=2, deterministic=True
    )


def _splitter(features: Sequence[str], tasks: Sequence[str]) -> Any:
    def split(columns: Mapping[str, tf.Tensor]) -> tuple[dict, dict, dict]:
        return (
            {name: columns[name] for name in features},
            {task: columns[label_name(task)][:, 0] for task in tasks},
            {task: columns[weight_name(task)][:, 0] for task in tasks},
        )

    return split


def _available_memory() -> int:
    """Bytes that can be taken without swapping, the container's limit included."""
    available = 4 << 30
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists():
        text = limit.read_text(encoding="ascii").strip()
        if text.isdigit():
            available = min(available, int(text))
    return available
