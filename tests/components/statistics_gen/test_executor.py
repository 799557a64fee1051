"""Statistics equal those of TFX's own executor on the same examples."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import json_format
from tfx.components.statistics_gen import executor as stock
from tfx.types import channel_utils, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.utils import json_utils

from components.statistics_gen.component import ArrowStatisticsGen
from components.statistics_gen.executor import Executor
from tests.components.examples import Value, artifact_at, example, examples_artifact, run_executor

pytestmark = pytest.mark.slow

SPLITS = ("train", "eval")


def rows(seed: int, count: int) -> list[bytes]:
    random = np.random.default_rng(seed)
    result = []
    for number in range(count):
        row: dict[str, Value] = {
            "id": number,
            "delay": float(np.float32(random.normal(5, 20))),
            "city": [b"oslo", b"rome", b"lima"][int(random.integers(3))],
            "vector": [float(np.float32(v)) for v in random.normal(size=4)],
            "tags": [b"%d" % tag for tag in random.integers(0, 9, int(random.integers(1, 4)))],
            "rare": 1 if number % 100 == 99 else None,
        }
        result.append(example({k: v for k, v in row.items() if v is not None and random.random() > 0.1}))
    return result


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    # One shard per split: with several, the order of rows is Beam's, and TFDV's quantile sketches follow it.
    folder = tmp_path_factory.mktemp("examples")
    return examples_artifact(folder, {"train": [rows(0, 1500)], "eval": [rows(1, 500)]})


def run(executor: Any, examples: Any, out: Path, **properties: Any) -> standard_artifacts.ExampleStatistics:
    statistics = artifact_at(standard_artifacts.ExampleStatistics, out)
    run_executor(executor, {specs.EXAMPLES_KEY: examples}, {specs.STATISTICS_KEY: statistics}, properties)
    return statistics


def features(statistics: standard_artifacts.ExampleStatistics, split: str) -> tuple[int, dict[str, Any]]:
    path = Path(statistics.uri, f"Split-{split}", stock.DEFAULT_FILE_NAME)
    (dataset,) = tfdv.load_stats_binary(str(path)).datasets
    return dataset.num_examples, {
        feature.path.step[0]: json_format.MessageToDict(feature) for feature in dataset.features
    }


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from differences(ours.get(key), theirs.get(key), f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{path}/{index}")
    elif isinstance(ours, float) and isinstance(theirs, float):
        if not math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-9):
            yield f"{path}: {ours} is not {theirs}"
    elif ours != theirs:
        yield f"{path}: {ours} is not {theirs}"


def test_statistics_and_properties_are_the_stock_ones(examples: Any, tmp_path: Path) -> None:
    ours, theirs = run(Executor, examples, tmp_path / "ours"), run(stock.Executor, examples, tmp_path / "theirs")
    assert ours.mlmd_artifact.custom_properties.keys() == theirs.mlmd_artifact.custom_properties.keys()
    for name in ("split_names", "span"):
        assert getattr(ours, name) == getattr(theirs, name)
    rates = [str(a.get_json_value_custom_property(stock.SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME)) for a in (ours, theirs)]
    assert rates[0] == rates[1]
    for split, count in zip(SPLITS, (1500, 500), strict=True):
        (our_count, our_features), (their_count, their_features) = features(ours, split), features(theirs, split)
        assert our_count == their_count == count
        assert list(differences(our_features, their_features)) == []


def test_shards_are_one_split(examples: Any, tmp_path: Path) -> None:
    train = rows(0, 1500)
    shards = examples_artifact(tmp_path / "in", {"train": [train[:700], train[700:1400], train[1400:]]})
    whole = features(run(Executor, examples, tmp_path / "whole", **excluding("eval")), "train")
    parts = [features(run(Executor, shards, tmp_path / f"{i}"), "train") for i in range(2)]
    assert parts[0] == parts[1]
    assert parts[0][0] == whole[0]
    left = [line for line in differences(parts[0][1], whole[1]) if "/histograms/" not in line and "/median" not in line]
    assert [line for line in left if "quantilesHistogram" not in line] == []


def excluding(split: str) -> dict[str, str]:
    return {specs.EXCLUDE_SPLITS_KEY: json_utils.dumps([split])}


def test_excluded_splits_are_left_out(examples: Any, tmp_path: Path) -> None:
    statistics = run(Executor, examples, tmp_path, **excluding("eval"))
    assert [path.name for path in tmp_path.iterdir()] == ["Split-train"]
    assert statistics.split_names == '["train"]'


def test_options_are_left_to_the_stock_executor(examples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(stock.Executor, "Do", lambda self, inputs, outputs, properties: given.append(properties))
    options = {specs.STATS_OPTIONS_JSON_KEY: tfdv.StatsOptions(num_top_values=3).to_json()}
    run(Executor, examples, tmp_path, **options)
    assert given == [options]


def test_the_code_is_a_parameter(examples: Any) -> None:
    component = ArrowStatisticsGen(examples=channel_utils.as_channel([examples]))
    assert len(component.exec_properties["code"]) == 16
