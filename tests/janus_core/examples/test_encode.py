"""The encoder's bytes are protobuf's own deterministic serialization."""

from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tfx_bsl.coders.example_coder import RecordBatchToExamples

from janus_core.examples.encode import encode_examples
from janus_core.tables.lists import large_list
from janus_core.tables.tfrecord_io import frame

VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int": (pa.int64(), st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 300))),
    "float": (pa.float32(), st.floats(width=32)),
    "bytes": (pa.binary(), st.binary(max_size=140)),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, pa.Array], int]:
    rows = draw(st.integers(0, 8))
    columns = {}
    for name in draw(st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=4)):
        arrow_type, values = VALUES[draw(st.sampled_from(list(VALUES)))]
        if draw(st.booleans()):
            arrow_type, values = pa.large_list(arrow_type), st.lists(values, max_size=4)
        padding = draw(st.integers(0, 2))
        cells = draw(st.lists(st.none() | values, min_size=rows + padding, max_size=rows + padding))
        columns[name] = pa.array(cells, arrow_type).slice(padding)
    return columns, rows


def reference(columns: dict[str, pa.Array], row: int) -> bytes:
    example = tf.train.Example()
    for name, column in columns.items():
        value = column[row].as_py()
        if value is None:
            continue
        inner = column.type.value_type if pa.types.is_large_list(column.type) else column.type
        feature = example.features.feature[name]
        lists = {pa.int64(): feature.int64_list, pa.float32(): feature.float_list, pa.binary(): feature.bytes_list}
        kind = lists[inner]
        kind.SetInParent()
        kind.value.extend(value if isinstance(value, list) else [value])
    example.features.SetInParent()
    return example.SerializeToString(deterministic=True)


@settings(max_examples=300, deadline=None)
@given(tables())
def test_bytes_are_protobufs(table: tuple[dict[str, pa.Array], int]) -> None:
    columns, rows = table
    encoded = encode_examples(columns, rows).to_pylist()
    parsed = [tf.train.Example.FromString(record) for record in encoded]
    assert len(encoded) == rows
    for row in range(rows):
        expected = reference(columns, row)
        # NaN payloads aside, which Python's float does not keep: compare the parsed text as well.
        assert encoded[row] == expected or str(parsed[row]) == str(tf.train.Example.FromString(expected))


def test_same_features_as_tfx_bsl() -> None:
    rng = np.random.default_rng(0)
    rows = 1000
    offsets = np.arange(rows + 1)
    columns = {
        "i": pa.array(rng.integers(-1000, 1000, rows)),
        "f": pa.array(rng.normal(size=rows).astype(np.float32)),
        "b": pa.array([b"x" * size for size in rng.integers(0, 300, rows)], pa.binary()),
        "v": pa.array(list(rng.normal(size=(rows, 10)).astype(np.float32)), pa.large_list(pa.float32())),
    }
    lists = [
        column if pa.types.is_large_list(column.type) else large_list(offsets, column) for column in columns.values()
    ]
    theirs = RecordBatchToExamples(pa.record_batch(lists, list(columns)))
    ours = encode_examples(columns, rows).to_pylist()
    for one, other in zip(theirs, ours, strict=True):
        assert tf.train.Example.FromString(one) == tf.train.Example.FromString(other)


def test_frames_are_tensorflows(tmp_path) -> None:  # type: ignore[no-untyped-def]
    records = [b"", b"a", b"bc" * 5000]
    path = str(tmp_path / "x.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for record in records:
            writer.write(record)
    assert (tmp_path / "x.tfrecord").read_bytes() == frame(pa.array(records, pa.binary())).to_pybytes()
    assert frame(pa.array([], pa.binary())).size == 0
