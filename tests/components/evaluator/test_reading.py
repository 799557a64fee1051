from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis import constants

from components.evaluator import reading
from components.evaluator.reading import ReadBatches, column_types
from tests.pipeline.evaluation_harness import SCHEMA, random_table, serialized_examples, write_examples


def raw(batch: dict) -> list[bytes]:
    return batch[constants.ARROW_RECORD_BATCH_KEY].column(0).flatten().to_pylist()


@pytest.fixture
def path(tmp_path: Path) -> str:
    (path,) = write_examples(tmp_path, random_table(70), shards=1).glob("Split-eval/*")
    return str(path)


def test_column_types_are_those_of_the_schema():
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    assert column_types(schema, ["origin", "hour", "delay", "unknown"]) == {
        "origin": tf.string,
        "hour": tf.int64,
        "delay": tf.float32,
    }


def test_batches_hold_the_examples_unchanged_and_the_columns_of_slices(path):
    (batch,) = ReadBatches({"origin": tf.string, "hour": tf.int64}).process(path)
    table = random_table(70)
    assert raw(batch) == serialized_examples(table)
    features = batch[constants.FEATURES_KEY]
    assert set(features) == {"origin", "hour"}
    assert [value.decode() for value in features["origin"].values] == list(table.origin)
    assert features["hour"].dense_shape.tolist() == [70, 1]


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1] * 70), (32, [32, 32, 6]), (70, [64, 6]), (300, [70])])
def test_a_batch_has_at_most_so_many_rows(path, monkeypatch, rows, sizes):
    monkeypatch.setattr(reading, "ROWS_PER_BATCH", rows)
    monkeypatch.setattr(reading, "_ROWS_PER_READ", 32)
    assert [len(raw(batch)) for batch in ReadBatches({}).process(path)] == sizes


def test_a_batch_ends_when_it_has_enough_bytes(path, monkeypatch):
    monkeypatch.setattr(reading, "BYTES_PER_BATCH", 1000)
    monkeypatch.setattr(reading, "_ROWS_PER_READ", 2)
    batches = list(ReadBatches({"origin": tf.string}).process(path))
    sizes = [sum(map(len, raw(batch))) for batch in batches]
    longest = max(len(example) for batch in batches for example in raw(batch))
    assert len(batches) > 5
    assert max(sizes) < 1000 + 2 * longest
    assert np.sum([len(raw(batch)) for batch in batches]) == 70


def test_uncompressed_files_are_read_too(path, tmp_path):
    plain = str(tmp_path / "plain")
    with tf.io.TFRecordWriter(plain) as writer:
        for example in serialized_examples(random_table(3)):
            writer.write(example)
    (batch,) = ReadBatches({}).process(plain)
    assert raw(batch) == serialized_examples(random_table(3))
