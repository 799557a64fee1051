from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis import constants

from components.evaluator.reading import column_types, read_extracts
from janus_core.errors import DataError
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
    (batch,) = read_extracts(path, {"origin": tf.string, "hour": tf.int64})
    table = random_table(70)
    assert raw(batch) == serialized_examples(table)
    features = batch[constants.FEATURES_KEY]
    assert set(features) == {"origin", "hour"}
    assert [value.decode() for value in features["origin"].values] == list(table.origin)
    assert features["hour"].dense_shape.tolist() == [70, 1]


def test_damage_is_reported_with_the_file(tmp_path: Path):
    (tmp_path / "shard").write_bytes(b"not a record, but longer than a length")
    with pytest.raises(DataError, match="shard: damaged after record 0"):
        list(read_extracts(str(tmp_path / "shard"), {}))
