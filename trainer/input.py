"""The Trainer's input: transformed examples, in memory where they fit, else streamed."""

from collections.abc import Callable, Mapping, Sequence
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

HASHES = 2**63 - 1

Columns = dict[str, np.ndarray]
"""[rows, width] each."""


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

    Which rows are held out depends on their content alone, and so does the order in memory, from which the shuffle
    starts: the same examples in other files or another order give the same training. (A streamed shuffle also depends
    on the files' order.)

    Args:
        patterns: files of gzipped TFRecords of transformed tf.Examples.
        spec: their feature spec.
        features: names of the transformed features that the network reads.
        tasks: names of the tasks.
        batch_size: rows of a batch.
        validation_fraction: share of rows that are held out.
        seed: of the shuffle.
        memory_limit: bytes that examples may take in memory; by default a share of what is available.
    """
    names = [*features, *(f(task) for task in tasks for f in (label_name, weight_name))]
    wanted = {name: spec[name] for name in names}
    limit = memory_limit if memory_limit is not None else int(MEMORY_SHARE * _available_memory())
    hashes, columns, label_columns = _collect(_parsed(patterns, wanted), names, limit)
    order = np.argsort(hashes, kind="stable")
    held_out = int(len(order) * validation_fraction)
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="shuffle_epoch")
    if columns is not None:
        train = _memory_batches(columns, order[held_out:], batch_size, seed, epoch)
        validation = _memory_batches(columns, order[:held_out], PARSE_BATCH, seed, None)
    else:
        first_kept = _first_kept(hashes[order], held_out)
        held_out = int((hashes < first_kept).sum())
        train = _streamed(patterns, wanted, batch_size, lambda hash_: hash_ >= first_kept, seed, epoch)
        validation = _streamed(patterns, wanted, PARSE_BATCH, lambda hash_: hash_ < first_kept, seed, None)
    rows = len(order) - held_out
    train, validation = _counted(train, rows, batch_size), _counted(validation, held_out, PARSE_BATCH)
    split = _splitter(features, tasks)
    # Workers share each batch among them; each reads all files, since a batch is drawn from the whole split.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return TrainingData(
        train=train.map(split, num_parallel_calls=2).prefetch(tf.data.AUTOTUNE).with_options(options),
        validation=validation.map(split, num_parallel_calls=2).prefetch(tf.data.AUTOTUNE).with_options(options),
        epoch=epoch,
        rows=rows,
        validation_rows=held_out,
        labels={name: _scalars(values[order[held_out:]]) for name, values in label_columns.items()},
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


def _hash(records: tf.Tensor) -> tf.Tensor:
    """A number for each record's bytes: Transform writes the same bytes for the same values."""
    return tf.strings.to_hash_bucket_fast(records, HASHES)


def _parsed(patterns: Sequence[str], spec: Mapping[str, tf.io.FixedLenFeature]) -> tf.data.Dataset:
    """Batches of (hashes, dense columns), in the files' order."""
    return (
        _records(patterns)
        .batch(PARSE_BATCH)
        .map(
            lambda records: (_hash(records), tf.io.parse_example(records, spec)),
            num_parallel_calls=2,
            deterministic=True,
        )
        .prefetch(2)
    )


def _collect(batches: tf.data.Dataset, names: Sequence[str], limit: int) -> tuple[np.ndarray, Columns | None, Columns]:
    """The rows' hashes; all columns, or None if they pass the limit; the label columns."""
    kept: dict[str, list[np.ndarray]] = {name: [] for name in names}
    label_names = [name for name in names if name.endswith(("/label", "/weight"))]
    hashes: list[np.ndarray] = []
    size, fits = 0, True
    for batch_hashes, batch in batches.as_numpy_iterator():
        hashes.append(batch_hashes)
        size += sum(values.nbytes for values in batch.values())
        if fits and size > limit:
            fits = False
            for name in set(names) - set(label_names):
                kept[name].clear()
        for name in names if fits else label_names:
            kept[name].append(batch[name])
    columns = {name: np.concatenate(parts) for name, parts in kept.items() if parts}
    labels = {name: columns[name] for name in label_names if name in columns}
    return np.concatenate(hashes) if hashes else np.zeros(0, np.int64), (columns if fits else None), labels


def _memory_batches(
    columns: Columns, rows: np.ndarray, batch_size: int, seed: int, epoch: tf.Variable | None
) -> tf.data.Dataset:
    """Batches of the given rows, in their order, or shuffled where there is an `epoch`.

    Columns of one dtype lie side by side in one tensor: a gather per column and batch costs more than a step of a
    small network.
    """
    packed = [_Packed.of({n: c for n, c in columns.items() if c.dtype == dtype}, rows) for dtype in _dtypes(columns)]
    count = len(rows)

    def order(_: tf.Tensor) -> tf.Tensor:
        indices = tf.range(count)
        if epoch is None:
            return indices
        return tf.random.experimental.stateless_shuffle(indices, seed=[seed, epoch.read_value()])

    def batch(indices: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: values for part in packed for name, values in part.gather(indices).items()}

    def batches(indices: tf.Tensor) -> tf.data.Dataset:
        starts = tf.data.Dataset.range(0, count, batch_size)
        return starts.map(
            lambda start: batch(indices[start : start + batch_size]), num_parallel_calls=2, deterministic=True
        )

    return tf.data.Dataset.from_tensors(0).map(order).flat_map(batches)


def _first_kept(ascending: np.ndarray, held_out: int) -> int:
    """The hash from which on rows are kept: equal rows stay together."""
    if not held_out or held_out == len(ascending):
        return HASHES if held_out else 0
    boundary = int(ascending[held_out])
    return boundary if ascending[0] < boundary else boundary + 1


def _counted(batches: tf.data.Dataset, rows: int, batch_size: int) -> tf.data.Dataset:
    """Keras takes a data set of unknown length to have ended early."""
    return batches.apply(tf.data.experimental.assert_cardinality(-(-rows // batch_size)))


def _streamed(
    patterns: Sequence[str],
    spec: Mapping[str, tf.io.FixedLenFeature],
    batch_size: int,
    chosen: Callable[[tf.Tensor], tf.Tensor],
    seed: int,
    epoch: tf.Variable | None,
) -> tf.data.Dataset:
    """Batches of the records whose hash is `chosen`."""
    records = (
        _records(patterns)
        .batch(PARSE_BATCH)
        .map(lambda batch: tf.boolean_mask(batch, chosen(_hash(batch))), num_parallel_calls=2, deterministic=True)
        .unbatch()
    )
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


@dataclass(frozen=True)
class _Packed:
    """Columns of one dtype, [rows, width] each, in one tensor."""

    values: tf.Tensor
    widths: dict[str, int]

    @classmethod
    def of(cls, columns: Columns, rows: np.ndarray) -> "_Packed":
        return cls(
            tf.constant(np.concatenate([values[rows] for values in columns.values()], axis=1)),
            {name: values.shape[1] for name, values in columns.items()},
        )

    def gather(self, indices: tf.Tensor) -> dict[str, tf.Tensor]:
        parts = tf.split(tf.gather(self.values, indices), list(self.widths.values()), axis=1)
        return dict(zip(self.widths, parts, strict=True))


def _dtypes(columns: Columns) -> list[np.dtype]:
    return list(dict.fromkeys(values.dtype for values in columns.values()))


def _splitter(features: Sequence[str], tasks: Sequence[str]) -> Any:
    def split(columns: Mapping[str, tf.Tensor]) -> tuple[dict, dict, dict]:
        return (
            {name: columns[name] for name in features},
            {task: _scalars(columns[label_name(task)]) for task in tasks},
            {task: _scalars(columns[weight_name(task)]) for task in tasks},
        )

    return split


def _scalars(column: Any) -> Any:
    """[rows] of a column with one value per row; a wider one stays [rows, width]."""
    return column[:, 0] if column.shape[1] == 1 else column


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
