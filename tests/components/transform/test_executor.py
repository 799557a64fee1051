"""What is written equals what TFX's own executor writes on the same examples."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.transform import executor as stock
from tfx.proto import example_gen_pb2, transform_pb2
from tfx.types import artifact_utils, channel_utils, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.utils import json_utils, proto_utils

from components.transform.component import ArrowTransform
from components.transform.executor import Executor
from janus_core.errors import DataError
from janus_core.examples import records
from tests.components.examples import (
    Value,
    artifact_at,
    example,
    examples_artifact,
    read_records,
    run_executor,
    write_records,
)

pytestmark = pytest.mark.slow

SPLITS = ("train", "eval")
MODULE = "tests.components.transform.preprocessing"

SCHEMA = """
feature { name: "id" type: INT presence { min_fraction: 1 min_count: 1 } shape {} }
feature { name: "city" type: BYTES presence { min_fraction: 1 min_count: 1 } shape {} }
feature { name: "vector" type: FLOAT presence { min_fraction: 1 min_count: 1 } shape { dim { size: 3 } } }
feature { name: "delay" type: FLOAT presence { min_count: 1 } }
feature { name: "tags" type: BYTES presence { min_count: 1 } }
feature { name: "unread" type: INT presence { min_fraction: 1 min_count: 1 } shape {} }
"""
"""`unread` is required, but no example has it and nothing reads it."""


def rows(first: int, count: int) -> list[bytes]:
    random = np.random.default_rng(first)
    result = []
    for number in range(first, first + count):
        row: dict[str, Value] = {
            "id": number,
            "city": [b"oslo", b"rome", b"lima"][min(2, int(random.integers(4)))],
            "vector": [float(np.float32(v)) for v in random.normal(size=3)],
            "tags": [b"%d" % tag for tag in random.integers(0, 9, int(random.integers(1, 4)))],
            "delay": float(np.float32(random.normal(5, 20))),
        }
        kept = ("id", "city", "vector")
        result.append(example({k: v for k, v in row.items() if k in kept or random.random() > 0.2}))
    return result


TRAIN = [rows(0, 700), rows(700, 90), []]
EVAL = [rows(800, 100)]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    return examples_artifact(tmp_path_factory.mktemp("examples"), {"train": TRAIN, "eval": EVAL})


class Written:
    """What a run wrote, and where."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.examples = artifact_at(standard_artifacts.Examples, folder / "examples")
        self.graph = artifact_at(standard_artifacts.TransformGraph, folder / "graph")

    def records(self, split: str) -> list[bytes]:
        return read_records(self.folder / "examples" / f"Split-{split}")

    def digests(self) -> dict[str, str]:
        files = sorted(path for path in (self.folder / "examples").rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def graph_files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in (self.folder / "graph").rglob("*")}


def run(executor: Any, examples: Any, folder: Path, function: str = "preprocessing_fn") -> Written:
    schema = artifact_at(standard_artifacts.Schema, folder / "schema")
    (folder / "schema" / "schema.pbtxt").write_text(SCHEMA)
    written = Written(folder)
    splits = transform_pb2.SplitsConfig(analyze=["train"], transform=list(SPLITS))
    run_executor(
        executor,
        {specs.EXAMPLES_KEY: examples, specs.SCHEMA_KEY: schema},
        {specs.TRANSFORM_GRAPH_KEY: written.graph, specs.TRANSFORMED_EXAMPLES_KEY: written.examples},
        {
            specs.PREPROCESSING_FN_KEY: f"{MODULE}.{function}",
            specs.SPLITS_CONFIG_KEY: proto_utils.proto_to_json(splits),
            specs.CUSTOM_CONFIG_KEY: json_utils.dumps({"factor": 3.0}),
            specs.DISABLE_STATISTICS_KEY: 1,
            specs.FORCE_TF_COMPAT_V1_KEY: 0,
        },
    )
    return written


@pytest.fixture(scope="module")
def ours(examples: Any, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return run(Executor, examples, tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(examples: Any, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return run(stock.Executor, examples, tmp_path_factory.mktemp("theirs"))


def by_id(written: Written, split: str) -> dict[int, dict[str, tuple[str | None, list[Any]]]]:
    """Each transformed example's features as (kind, values), by the example's `id`."""
    result = {}
    for record in written.records(split):
        features = tf.train.Example.FromString(record).features.feature
        kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
        row = {name: (kind, list(getattr(features[name], kind).value)) for name, kind in kinds.items()}
        result[row["id"][1][0]] = row
    return result


@pytest.mark.parametrize("split", SPLITS)
def test_transformed_examples_are_the_stock_ones(ours: Written, theirs: Written, split: str) -> None:
    mine, stocks = by_id(ours, split), by_id(theirs, split)
    assert len(mine) == len(ours.records(split)) == len(theirs.records(split))
    assert mine.keys() == stocks.keys()
    for number, row in mine.items():
        assert row.keys() == stocks[number].keys()
        for name, (kind, values) in row.items():
            assert kind == stocks[number][name][0]
            if kind == "float_list":
                np.testing.assert_allclose(values, stocks[number][name][1], rtol=1e-6, atol=1e-6)
            else:
                assert values == stocks[number][name][1]


def test_the_transform_graph_is_the_stock_one(ours: Written, theirs: Written) -> None:
    assert ours.graph_files() == theirs.graph_files()
    for name in ("metadata/schema.pbtxt", "transformed_metadata/schema.pbtxt", "transform_fn/assets/cities"):
        assert Path(ours.graph.uri, name).read_bytes() == Path(theirs.graph.uri, name).read_bytes()
    layers = [tft.TFTransformOutput(written.graph.uri).transform_features_layer() for written in (ours, theirs)]
    raw = {"delay": tf.sparse.from_dense(tf.constant([[7.5]])), "city": tf.constant(["rome"])}
    mine, stocks = ({k: v.numpy() for k, v in layer(dict(raw)).items()} for layer in layers)
    assert mine.keys() == stocks.keys() == {"scaled", "city", "name"}
    np.testing.assert_allclose(mine["scaled"], stocks["scaled"], rtol=1e-6)
    assert mine["city"] == stocks["city"]


def test_the_artifact_is_described_as_the_stock_one(ours: Written, theirs: Written) -> None:
    for artifacts in ((ours.examples, theirs.examples), (ours.graph, theirs.graph)):
        mine, stocks = (artifact.mlmd_artifact for artifact in artifacts)
        assert mine.properties == stocks.properties
        assert mine.custom_properties == stocks.custom_properties


def test_each_shard_keeps_its_rows_and_their_order(ours: Written) -> None:
    folder = ours.folder / "examples" / "Split-train"
    assert [path.name for path in sorted(folder.iterdir())] == [
        f"transformed_examples-{index:05d}-of-00003.gz" for index in range(3)
    ]
    assert list(by_id(ours, "train")) == list(range(790))
    assert list(by_id(ours, "eval")) == list(range(800, 900))


def test_two_runs_write_the_same_bytes(
    ours: Written, examples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(Executor, examples, tmp_path / "again").digests() == ours.digests()
    monkeypatch.setattr("components.transform.executor.worker_threads", lambda args: 5)
    monkeypatch.setattr(records, "BYTES_PER_BATCH", 20_000)
    smaller = run(Executor, examples, tmp_path / "smaller")
    assert list(by_id(smaller, "train")) == list(by_id(ours, "train"))


def test_nothing_is_read_to_analyse_nothing(examples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.transform.analysis.record_batches", lambda path: 1 / 0)
    written = run(Executor, examples, tmp_path, "without_analyzers")
    assert written.records("eval") == [example({"id": number + 1}) for number in range(800, 900)]


def test_a_damaged_shard_leaves_nothing_half_written(tmp_path: Path) -> None:
    damaged = examples_artifact(tmp_path / "in", {"train": TRAIN, "eval": EVAL})
    shard = write_records(tmp_path / "in" / "Split-eval" / "data_tfrecord-00000-of-00001.gz", EVAL[0])
    shard.write_bytes(shard.read_bytes()[:-200])
    with pytest.raises(DataError, match="Split-eval/.*damaged after record"):
        run(Executor, damaged, tmp_path / "out")
    assert not list((tmp_path / "out" / "examples" / "Split-eval").iterdir())
    assert ".staging" not in {path.name for path in (tmp_path / "out" / "graph").iterdir()}


def test_a_split_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Split-eval: there are no examples"):
        run(Executor, examples_artifact(tmp_path / "in", {"train": TRAIN, "eval": []}), tmp_path / "out")


def test_other_payloads_are_refused(tmp_path: Path) -> None:
    sequences = examples_artifact(tmp_path / "in", {"train": TRAIN, "eval": EVAL})
    sequences.set_string_custom_property(
        "payload_format", example_gen_pb2.PayloadFormat.Name(example_gen_pb2.FORMAT_TF_SEQUENCE_EXAMPLE)
    )
    with pytest.raises(ValueError, match="tf.Examples only"):
        run(Executor, sequences, tmp_path / "out")


def test_the_code_is_a_parameter_and_unread_outputs_are_not_declared(examples: Any, ours: Written) -> None:
    schema = artifact_utils.get_single_instance([artifact_at(standard_artifacts.Schema, ours.folder / "schema")])
    component = ArrowTransform(
        examples=channel_utils.as_channel([examples]),
        schema=channel_utils.as_channel([schema]),
        preprocessing_fn=f"{MODULE}.preprocessing_fn",
    )
    assert len(component.exec_properties["code"]) == 16
    assert component.outputs.keys() == {"transform_graph", "transformed_examples"}
