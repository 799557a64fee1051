"""The Trainer's input: transformed examples, in memory if they fit, else streamed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from janus_core.memory import available_memory
from trainer.config import TimeConfig
from trainer.held_out import comparable, newest_rows
from trainer.names import TIME, label_name, weight_name

PARSE_BATCH = 4096
MEMORY_SHARE = 0.25
"""Examples are kept in memory if they take less than this share of the available memory."""
SHUFFLE_BUFFER = 200_000
"""Rows in the buffer of a streamed shuffle."""

SAMPLE = 200_000
"""Rows whose values are kept for the edges of bins."""

HASHES = 2**63 - 1
_ALIGNMENT = 64

Columns = dict[str, np.ndarray]
"""[rows, width] each."""


@dataclass(frozen=True)
class TrainingData:
    """Batches for training and validation.

    Attributes:
        train, validation: batches of (features, labels, weights); the former are reshuffled when `epoch` changes.
        epoch: int64 scalar variable; the shuffle depends only on it and on the seed, so that a resumed training
            sees the same batches.
        labels: label and weight columns of the training part, for label statistics.
        labelled: task → rows of both parts with a label and a weight above 0.
        sample: the `sampled` features in at most SAMPLE rows of the training part, in no order.
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset
    epoch: tf.Variable
    rows: int
    validation_rows: int
    labels: Columns
    in_memory: bool
    labelled: dict[str, int] = field(default_factory=dict)
    sample: Columns = field(default_factory=dict)


def read_training_data(
    patterns: Sequence[str],
    spec: Mapping[str, tf.io.FixedLenFeature],
    features: Sequence[str],
    tasks: Sequence[str],
    batch_size: int,
    validation_fraction: float,
    seed: int,
    memory_limit: int | None = None,
    sampled: Sequence[str] = (),
    time: TimeConfig | None = None,
) -> TrainingData:
    """Reads the training split from files of gzipped TFRecords of transformed tf.Examples.

    The rows that are held out depend only on the content of all rows, and so does the order in memory, which is then
    shuffled: the same examples in other files or in another order result in the same training. (A streamed shuffle
    also depends on the files' order.)

    Args:
        patterns, spec: the files, and their feature spec.
        features, tasks: names of the transformed features that the network reads, and of the tasks.
        memory_limit: bytes that examples may take in memory; by default, a share of the available memory.
        sampled: the transformed features of which `sample` holds values.
        time: the rows' time, if the newest rows are held out; else they are chosen by a hash.

    Raises:
        DataError: the newest rows are to be held out, and all rows have the same time.
    """
    names = [*features, *(f(task) for task in tasks for f in (label_name, weight_name))]
    wanted = {name: spec[name] for name in names}
    limit = memory_limit if memory_limit is not None else int(MEMORY_SHARE * available_memory())
    sample = _Sample(sampled)
    read = {**wanted, TIME: spec[TIME]} if time else wanted
    hashes, times, packed, label_columns = _collect(_parsed(patterns, read), names, limit, sample, time)
    # Four bytes per row, since after the examples the shuffle's copies take the most memory.
    order = np.argsort(hashes, kind="stable").astype(np.int32 if len(hashes) < 2**31 else np.int64)
    held_out = np.zeros(len(order), bool)
    if time and len(order):
        held_out = newest_rows(times, time, validation_fraction)
    else:
        held_out[order[: int(len(order) * validation_fraction)]] = True
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="shuffle_epoch")
    kept_rows, held_out_rows = order[~held_out[order]], order[held_out[order]]
    if packed is not None:
        train = _memory_batches(packed, kept_rows, batch_size, seed, epoch)
        validation = _memory_batches(packed, held_out_rows, PARSE_BATCH, seed, None)
    else:
        train = _streamed(patterns, wanted, batch_size, ~held_out, seed, epoch)
        validation = _streamed(patterns, wanted, PARSE_BATCH, held_out, seed, None)
    train = _counted(train, len(kept_rows), batch_size)
    validation = _counted(validation, len(held_out_rows), PARSE_BATCH)
    split = _splitter(features, tasks)
    # The workers split each batch. Each reads all files, since a batch is drawn from the whole split.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return TrainingData(
        train=train.map(split, num_parallel_calls=2).prefetch(tf.data.AUTOTUNE).with_options(options),
        validation=validation.map(split, num_parallel_calls=2).prefetch(tf.data.AUTOTUNE).with_options(options),
        epoch=epoch,
        rows=len(kept_rows),
        validation_rows=len(held_out_rows),
        labels={name: _scalars(values[kept_rows]) for name, values in label_columns.items()},
        in_memory=packed is not None,
        sample=sample.rows(held_out),
        labelled={task: int(np.count_nonzero(label_columns.get(weight_name(task), 0))) for task in tasks},
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
    """Batches of (hashes of the records' bytes, dense columns), in the files' order.

    Transform writes the same bytes for the same values.
    """
    return (
        _records(patterns)
        .batch(PARSE_BATCH)
        .map(
            lambda records: (tf.strings.to_hash_bucket_fast(records, HASHES), tf.io.parse_example(records, spec)),
            num_parallel_calls=2,
            deterministic=True,
        )
        .prefetch(2)
    )


@dataclass(frozen=True)
class _Packed:
    """Columns of one dtype, [rows, width] each, concatenated in one tensor.

    A gather per column and batch would take longer than a step of a small network.
    """

    values: tf.Variable
    dtype: tf.DType
    widths: dict[str, int]

    def gather(self, indices: tf.Tensor) -> dict[str, tf.Tensor]:
        # A gather from the variable itself would first copy it, in case it is assigned concurrently.
        rows = tf.cast(tf.gather(self.values.read_value(), indices), self.dtype)
        return dict(zip(self.widths, tf.split(rows, list(self.widths.values()), axis=1), strict=True))


class _Block:
    """Memory for columns of one dtype, filled batch by batch.

    It is reserved at once, with TensorFlow's alignment: pages that are never filled cost nothing, and the tensor shares
    the memory, so that there is only one copy of the examples.
    """

    def __init__(self, dtype: tf.DType, specs: Mapping[str, tf.TensorSpec], capacity: int):
        self._dtype = dtype
        self._widths = {name: spec.shape[1] for name, spec in specs.items()}
        # Ids of vocabularies, of buckets and of classes are far below 2^31.
        stored = np.dtype(np.int32 if dtype == tf.int64 else dtype.as_numpy_dtype)
        width = sum(self._widths.values())
        reserved = np.empty(capacity * width * stored.itemsize + _ALIGNMENT, np.uint8)
        start = -reserved.ctypes.data % _ALIGNMENT
        used = reserved[start : start + capacity * width * stored.itemsize]
        self._values = used.view(stored).reshape(capacity, width)
        self._rows = 0

    def add(self, batch: Columns) -> None:
        parts = [batch[name] for name in self._widths]
        stop = self._rows + len(parts[0])
        np.concatenate(parts, axis=1, out=self._values[self._rows : stop], casting="same_kind")
        self._rows = stop

    def packed(self) -> _Packed:
        values = self._values[: self._rows]
        # Neither of these copies; tf.constant would, and so would tf.data a tensor that a function captures.
        tensor = tf.experimental.dlpack.from_dlpack(values.__dlpack__())
        return _Packed(tf.Variable(tensor, trainable=False, name="examples"), self._dtype, self._widths)


class _Sample:
    """The rows with the greatest hashes: the same ones whatever the order of the files."""

    def __init__(self, names: Sequence[str]):
        self._names = list(names)
        self._parts: list[tuple[np.ndarray, np.ndarray, Columns]] = []
        self._seen = 0

    def add(self, hashes: np.ndarray, batch: Columns) -> None:
        places = np.arange(self._seen, self._seen + len(hashes))
        self._seen += len(hashes)
        if self._names:
            self._parts.append((hashes, places, {name: batch[name] for name in self._names}))
            if sum(len(part) for part, _, _ in self._parts) > 2 * SAMPLE:
                self._join()

    def rows(self, held_out: np.ndarray) -> Columns:
        """The sample without the rows that are held out, bool [rows] in the order in which they were added."""
        if not self._parts:
            return {}
        self._join()
        ((_, places, columns),) = self._parts
        return {name: values[~held_out[places]] for name, values in columns.items()}

    def _join(self) -> None:
        hashes, places = (np.concatenate([part[index] for part in self._parts]) for index in (0, 1))
        kept = np.argpartition(hashes, -SAMPLE)[-SAMPLE:] if len(hashes) > SAMPLE else np.arange(len(hashes))
        columns = {name: np.concatenate([part[2][name] for part in self._parts])[kept] for name in self._names}
        self._parts = [(hashes[kept], places[kept], columns)]


def _collect(
    batches: tf.data.Dataset, names: Sequence[str], limit: int, sample: _Sample, time: TimeConfig | None
) -> tuple[np.ndarray, np.ndarray, list[_Packed] | None, Columns]:
    """The rows' hashes; their times, if asked for; all columns, or None if they exceed the limit; the label columns."""
    specs: dict[str, tf.TensorSpec] = {name: batches.element_spec[1][name] for name in names}
    row_bytes = sum(spec.dtype.size * spec.shape[1] for spec in specs.values())
    capacity = limit // row_bytes
    blocks: list[_Block] = []
    for dtype in dict.fromkeys(spec.dtype for spec in specs.values()):
        blocks.append(_Block(dtype, {name: spec for name, spec in specs.items() if spec.dtype == dtype}, capacity))
    label_names = [name for name in names if name.endswith(("/label", "/weight"))]
    labels: dict[str, list[np.ndarray]] = {name: [] for name in label_names}
    hashes: list[np.ndarray] = []
    times: list[np.ndarray] = []
    rows = 0
    for batch_hashes, batch in batches.as_numpy_iterator():
        hashes.append(batch_hashes)
        times += [comparable(batch[TIME][:, 0], time)] if time else []
        sample.add(batch_hashes, batch)
        rows += len(batch_hashes)
        for name in label_names:
            labels[name].append(batch[name])
        if rows <= capacity:
            for block in blocks:
                block.add(batch)
        else:
            blocks.clear()
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0), None, {}
    columns = {name: np.concatenate(parts) for name, parts in labels.items()}
    return (
        np.concatenate(hashes),
        np.concatenate(times or [np.zeros(0)]),
        [block.packed() for block in blocks] or None,
        columns,
    )


def _memory_batches(
    packed: Sequence[_Packed], rows: np.ndarray, batch_size: int, seed: int, epoch: tf.Variable | None
) -> tf.data.Dataset:
    """Batches of the given rows, in their order, or shuffled where there is an `epoch`."""
    count = len(rows)
    in_order = tf.constant(rows)

    def order(_: tf.Tensor) -> tf.Tensor:
        if epoch is None:
            return in_order
        return tf.random.experimental.stateless_shuffle(in_order, seed=[seed, epoch.read_value()])

    def batches(indices: tf.Tensor) -> tf.data.Dataset:
        def batch(start: tf.Tensor) -> dict[str, tf.Tensor]:
            chosen = indices[start : start + batch_size]
            return {name: values for part in packed for name, values in part.gather(chosen).items()}

        starts = tf.data.Dataset.range(0, count, batch_size)
        return starts.map(batch, num_parallel_calls=2, deterministic=True)

    return tf.data.Dataset.from_tensors(0).map(order).flat_map(batches)


def _counted(batches: tf.data.Dataset, rows: int, batch_size: int) -> tf.data.Dataset:
    """Sets the length: Keras treats a data set of unknown length as one that ended early."""
    return batches.apply(tf.data.experimental.assert_cardinality(-(-rows // batch_size)))


def _streamed(
    patterns: Sequence[str],
    spec: Mapping[str, tf.io.FixedLenFeature],
    batch_size: int,
    chosen: np.ndarray,
    seed: int,
    epoch: tf.Variable | None,
) -> tf.data.Dataset:
    """Batches of the records that are `chosen`, bool [records] in the files' order."""
    masks = tf.data.Dataset.from_tensor_slices(chosen)
    records = (
        tf.data.Dataset.zip((_records(patterns).batch(PARSE_BATCH), masks.batch(PARSE_BATCH)))
        .map(tf.boolean_mask, num_parallel_calls=2, deterministic=True)
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
