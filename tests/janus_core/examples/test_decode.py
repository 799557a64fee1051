"""Decoding with the parser gives what tfx_bsl's decoder gives."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from janus_core.errors import DataError
from janus_core.examples import decode
from janus_core.examples.decode import decode_batches, example_sizes, parse_columns
from tests.components.examples import Value, example

Row = dict[str, Value]


def varied(seed: int, count: int = 200) -> list[Row]:
    """Rows with numbers of every size, lists of every length and text, each missing here and there."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for _ in range(count):
        row: Row = {
            "int": int(random.integers(-(2**62), 2**62) >> int(random.integers(0, 62))),
            "ints": [int(number) for number in random.integers(-3, 300, random.integers(1, 40))],
            "float": float(np.float32(random.normal())),
            "floats": [float(np.float32(number)) for number in random.normal(size=random.integers(1, 40))],
            "bytes": random.bytes(int(random.integers(0, 300))),
            "texts": [random.bytes(3) for _ in range(random.integers(1, 5))],
            "größe": 1,
        }
        rows.append({name: value for name, value in row.items() if random.random() > 0.2})
    return rows


def decoded(batches: Sequence[Sequence[bytes]]) -> tuple[list[pa.RecordBatch], list[pa.RecordBatch]]:
    """The batches by `decode_batches`, and by tfx_bsl."""
    ours = list(decode_batches([tf.constant(list(batch)) for batch in batches]))
    return ours, [ExamplesToRecordBatchDecoder().DecodeBatch(list(batch)) for batch in batches]


def columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """Columns that hold anything; a column that is null in every row is the same as none."""
    named = dict(zip(batch.schema.names, batch.columns, strict=True))
    return {name: column for name, column in named.items() if column.null_count < len(column)}


def assert_equal(batches: Sequence[Sequence[bytes]]) -> None:
    ours, theirs = decoded(batches)
    for our, their in zip(ours, theirs, strict=True):
        assert our.num_rows == their.num_rows
        assert columns(our) == columns(their)


def in_batches(rows: Sequence[Row], size: int = 50) -> list[list[bytes]]:
    records = [example(row) for row in rows]
    return [records[start : start + size] for start in range(0, len(records), size)]


@pytest.fixture
def whole_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what tfx_bsl's decoder is given."""
    sizes: list[int] = []

    class Counting(ExamplesToRecordBatchDecoder):
        def DecodeBatch(self, records: np.ndarray) -> pa.RecordBatch:  # noqa: N802 (tfx_bsl's name)
            sizes.append(len(records))
            return super().DecodeBatch(records)

    monkeypatch.setattr(decode, "ExamplesToRecordBatchDecoder", Counting)
    return sizes


@pytest.mark.parametrize("seed", range(3))
def test_sizes_are_those_of_the_messages(seed: int) -> None:
    rows = varied(seed)
    kinds = {"int": "int", "ints": "int", "float": "float", "floats": "float", "bytes": "bytes", "texts": "bytes"}
    records = [example(row) for row in rows]
    sizes = example_sizes(parse_columns(tf.constant(records), {**kinds, "größe": "int"}), len(rows))
    assert [size for size, row in zip(sizes, rows, strict=True) if row] == [
        len(record) for record, row in zip(records, rows, strict=True) if row
    ]


def test_varied_rows_are_parsed(whole_batches: list[int]) -> None:
    assert_equal(in_batches(varied(7)))
    assert max(whole_batches) < 64


def test_a_late_column_is_found(whole_batches: list[int]) -> None:
    rows: list[Row] = [{"a": 1}] * 200
    rows += [{"a": 2, "late": 0.5}, {"later": b"x"}] + [{"a": 3}] * 98
    assert_equal(in_batches(rows, 100))
    assert whole_batches == [50, 2]


@pytest.mark.parametrize(
    "odd",
    [
        {"a": []},
        {"b": None},
        {"a": 1, "empty": []},
        {},
        {"a": 300, "b": None, "c": []},
    ],
)
def test_empty_lists_features_without_a_kind_and_rows_without_features(odd: Row) -> None:
    assert_equal(in_batches([{"a": 1, "b": 2.0}, odd, {"a": 5}, odd] * 25))
    assert_equal(in_batches([odd] * 20, 10))


def test_columns_that_never_end_are_left_to_tfx_bsl(whole_batches: list[int]) -> None:
    rows: list[Row] = [{f"column {number}": number} for number in range(1500)]
    assert_equal(in_batches(rows, 300))
    assert whole_batches[-2:] == [300, 300]


def test_unpacked_numbers_are_read() -> None:
    # A float list as proto2 would write it: tag and four bytes per value.
    unpacked = b"\x0a\x0e\x0a\x0c\x0a\x01a\x12\x07\x12\x05\x0d\x00\x00\x80\x3f"
    assert tf.train.Example.FromString(unpacked).features.feature["a"].float_list.value[:] == [1.0]
    assert_equal([[unpacked, example({"a": 2.0})] * 5])


@pytest.mark.parametrize(
    "records", [[b"no example"] * 3, [example({"a": 1}), example({"a": 0.5})], [example({"a": 1})] * 70 + [b"\xff\x01"]]
)
def test_what_tfx_bsl_rejects_is_rejected(records: list[bytes]) -> None:
    with pytest.raises(RuntimeError):
        ExamplesToRecordBatchDecoder().DecodeBatch(records)
    with pytest.raises(RuntimeError):
        list(decode_batches([tf.constant(records)]))


def test_spans_of_other_types_name_the_column_and_the_remedy() -> None:
    example = tf.train.Example()
    example.features.feature["price"].int64_list.value.append(3)
    with pytest.raises(DataError, match="column 'price' is int64 in them, but float in the schema.*--write"):
        parse_columns(tf.constant([example.SerializeToString()]), {"price": "float"})
