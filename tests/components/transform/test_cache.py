"""The analyzer cache: earlier spans are not read again, and nothing but that differs."""

import itertools
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx import types
from tfx.proto import transform_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.utils import json_utils, proto_utils

from components.transform import analysis, cache
from components.transform.executor import ANALYZER_CACHE_KEY, Executor
from janus_core.examples.records import record_batches
from tests.components.examples import artifact_at, examples_artifact, read_records, run_executor
from tests.components.transform.test_executor import MODULE, SCHEMA, rows

pytestmark = pytest.mark.slow

SPLITS = ("train", "eval")
ROWS = 300

Features = dict[str, list[Any]]


class Spans:
    """Examples of any span, and Transforms over some of them that share a cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder = folder
        self.cache = folder / "cache"
        self.read: list[str] = []
        self._runs = itertools.count()
        monkeypatch.setattr(analysis, "record_batches", self._noted)

    def artifact(self, span: int) -> standard_artifacts.Examples:
        first = span * 1000
        shards = {"train": [rows(first, ROWS), rows(first + ROWS, 50)], "eval": [rows(first + 900, 20)]}
        return examples_artifact(self.folder / f"span-{span}", shards)

    def transform(
        self, *spans: int, cached: bool = True, function: str = "several_analyzers", schema: str = SCHEMA, **config: Any
    ) -> "Transformed":
        """Transforms the spans; `read` then holds the spans that were analysed from their rows."""
        folder = self.folder / f"run-{next(self._runs)}"
        schema_artifact = artifact_at(standard_artifacts.Schema, folder / "schema")
        (folder / "schema" / "schema.pbtxt").write_text(schema)
        outputs = {
            specs.TRANSFORM_GRAPH_KEY: artifact_at(standard_artifacts.TransformGraph, folder / "graph"),
            specs.TRANSFORMED_EXAMPLES_KEY: artifact_at(standard_artifacts.Examples, folder / "examples"),
        }
        splits = transform_pb2.SplitsConfig(analyze=["train"], transform=list(SPLITS))
        self.read.clear()
        run_executor(
            Executor,
            {specs.EXAMPLES_KEY: [self._existing(span) for span in spans], specs.SCHEMA_KEY: schema_artifact},
            outputs,
            {
                specs.PREPROCESSING_FN_KEY: f"{MODULE}.{function}",
                specs.SPLITS_CONFIG_KEY: proto_utils.proto_to_json(splits),
                specs.CUSTOM_CONFIG_KEY: json_utils.dumps({"buckets": 4, **config}),
                specs.DISABLE_STATISTICS_KEY: 1,
                specs.FORCE_TF_COMPAT_V1_KEY: 0,
                **({ANALYZER_CACHE_KEY: str(self.cache)} if cached else {}),
            },
        )
        return Transformed(folder, len(spans))

    def files(self) -> list[Path]:
        """The cache's files."""
        return sorted(path for path in self.cache.rglob("*") if path.is_file())

    @property
    def read_spans(self) -> list[int]:
        return sorted({int(Path(path).parents[1].name.removeprefix("span-")) for path in self.read})

    def _existing(self, span: int) -> types.Artifact:
        if not (self.folder / f"span-{span}").exists():
            return self.artifact(span)
        artifact = artifact_at(standard_artifacts.Examples, self.folder / f"span-{span}")
        artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
        return artifact

    def _noted(self, path: str) -> Any:
        self.read.append(path)
        return record_batches(path)


class Transformed:
    """What a run wrote."""

    def __init__(self, folder: Path, spans: int):
        self.folder = folder
        self._spans = spans

    def vocabulary(self, name: str) -> bytes:
        return (self.folder / "graph/transform_fn/assets" / name).read_bytes()

    def rows(self, split: str) -> dict[int, Features]:
        """The transformed rows of all spans, by their `id`."""
        folders = [self.folder / "examples" / f"Split-{split}"]
        if self._spans > 1:
            folders = [self.folder / "examples" / str(n) / f"Split-{split}" for n in range(self._spans)]
        found = {}
        for record in (record for folder in folders for record in read_records(folder)):
            features = tf.train.Example.FromString(record).features.feature
            kinds = {name: str(feature.WhichOneof("kind")) for name, feature in features.items()}
            row = {name: list(getattr(features[name], kind).value) for name, kind in kinds.items() if kind != "None"}
            found[row["id"][0]] = row
        return found


def assert_same(some: Transformed, others: Transformed) -> None:
    for split in SPLITS:
        mine, theirs = some.rows(split), others.rows(split)
        assert mine.keys() == theirs.keys()
        for number, row in mine.items():
            assert row.keys() == theirs[number].keys()
            for name, values in row.items():
                np.testing.assert_allclose(values, theirs[number][name], rtol=1e-6, atol=1e-6)


@pytest.fixture
def spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spans:
    return Spans(tmp_path, monkeypatch)


def test_only_a_new_span_is_read_and_the_results_are_those_without_cache(spans: Spans) -> None:
    spans.transform(2, 1)
    assert spans.read_spans == [1, 2]
    first = {path.name for path in spans.files()}
    rolled = spans.transform(3, 2)
    assert spans.read_spans == [3]
    second = {path.name for path in spans.files()}
    assert len(first) == len(second) == 2
    assert len(first & second) == 1, "span 1's is gone"
    plain = spans.transform(3, 2, cached=False)
    assert spans.read_spans == [2, 3]
    for vocabulary in ("cities", "tags"):
        assert rolled.vocabulary(vocabulary) == plain.vocabulary(vocabulary)
    assert len(rolled.rows("train")) == 2 * (ROWS + 50)
    assert_same(rolled, plain)


def test_nothing_is_read_where_all_is_known(spans: Spans) -> None:
    first = spans.transform(2, 1)
    again = spans.transform(2, 1)
    assert spans.read == []
    assert_same(again, first)
    assert again.vocabulary("tags") == first.vocabulary("tags")
    assert_same(spans.transform(1), spans.transform(1, cached=False))


@pytest.mark.parametrize(
    "changed",
    [{"buckets": 5}, {"unread": 1}, {"schema": SCHEMA + "# a remark\nfeature { name: 'new' type: INT }"}],
    ids=["analyzer", "parameter", "schema"],
)
def test_another_analysis_knows_nothing_of_this_one(spans: Spans, changed: dict[str, Any]) -> None:
    spans.transform(1)
    spans.transform(1, **changed)
    assert spans.read_spans == [1]
    assert len(spans.files()) == 1, "the former one is gone"


def test_rewritten_examples_are_read_again(spans: Spans) -> None:
    spans.transform(2, 1)
    shard = next((spans.folder / "span-1" / "Split-train").iterdir())
    os.utime(shard, (1, 1))
    spans.transform(2, 1)
    assert spans.read_spans == [1]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_truncate, _folder])
def test_a_damaged_file_is_logged_and_rebuilt(
    spans: Spans, damage: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    whole = spans.transform(1)
    (file,) = spans.files()
    content = file.read_bytes()
    damage(file)
    with caplog.at_level(logging.WARNING, "janus.progress"):
        rebuilt = spans.transform(1)
    assert spans.read_spans == [1]
    assert f"{file} cannot be used, its examples are analysed again" in caplog.text
    assert_same(rebuilt, whole)
    assert file.read_bytes() == content


def test_what_an_interrupted_run_left_is_removed(spans: Spans) -> None:
    staging = spans.cache / ".staging-1"
    staging.mkdir(parents=True)
    (staging / "half").write_bytes(b"1")
    spans.transform(1)
    assert [path.name for path in spans.cache.iterdir()] == [spans.files()[0].parent.name]


def test_a_failed_run_leaves_nothing(spans: Spans) -> None:
    spans.artifact(1)
    shard = next((spans.folder / "span-1" / "Split-eval").iterdir())
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(Exception, match="damaged after record"):
        spans.transform(1)
    assert list(spans.cache.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_logged(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    spans.cache.write_text("a file")
    with caplog.at_level(logging.WARNING, "janus.progress"):
        spans.transform(1)
    assert "cannot be written, it is not used" in caplog.text


def test_a_cache_that_cannot_be_updated_is_logged(
    spans: Spans, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: str, kept: Any) -> None:
        raise tf.errors.PermissionDeniedError(None, None, "no")

    monkeypatch.setattr(cache, "_remove_others", fail)
    with caplog.at_level(logging.WARNING, "janus.progress"):
        spans.transform(1)
    assert "cannot be updated: no" in caplog.text


def test_an_analysis_in_two_phases_reads_all_and_is_right(spans: Spans) -> None:
    spans.transform(2, 1, function="two_phases")
    rolled = spans.transform(3, 2, function="two_phases")
    assert spans.read_spans == [2, 3]
    assert_same(rolled, spans.transform(3, 2, cached=False, function="two_phases"))


def test_without_analyzers_nothing_is_read_or_kept(spans: Spans) -> None:
    spans.transform(1, function="without_analyzers")
    assert spans.read == []
    assert spans.files() == []
