"""A network that starts from an earlier one predicts as that one did."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from janus_core.errors import DataError
from tests.trainer.harness import example_of, fn_args, run_transform
from trainer.config import TrainerConfig
from trainer.encoders.piecewise_linear import PiecewiseLinear
from trainer.heads.base import Head
from trainer.run import make_heads, make_model, read_examples, run_fn
from trainer.signatures import ServingModule
from trainer.warm_start import Taken, save_weights, start_from, weights_folder

pytestmark = pytest.mark.slow


def config_of(**changed: Any) -> TrainerConfig:
    raw: dict[str, Any] = {
        "seed": 1,
        "features": {
            # Unscaled, so that the same number means the same in both tables.
            "x": {"kind": "numeric", "scale": "none", "missing": 0.0},
            "city": {"kind": "categorical", "embed": 3},
        },
        "tasks": {
            "level": {"kind": "multiclass", "label": "level", "classes": [0, 1, 2]},
            "delay": {"kind": "regression", "label": "delay"},
        },
        "model": {"trunk": {"units": [8]}, "towers": {"default": [4]}},
        "training": {"epochs": 3, "batch_size": 32, "learning_rate": 0.01, "warm_start": True},
    }
    return TrainerConfig.model_validate({**raw, **changed})


def table_of(cities: list[str], shift: float, rows: int = 400) -> pa.Table:
    rng = np.random.default_rng(7)
    x = rng.normal(size=rows)
    return pa.table(
        {
            "x": pa.array(x, pa.float32()),
            "city": pa.array([cities[row % len(cities)] for row in range(rows)]),
            "level": pa.array(np.clip(np.round(x), -1, 1).astype(np.int64) + 1),
            "delay": pa.array(shift + (10 + shift / 50) * x + rng.normal(size=rows), pa.float32()),
        }
    )


@dataclass(frozen=True)
class Side:
    """A table with its transform, heads and an untrained network."""

    config: TrainerConfig
    transform: tft.TFTransformOutput
    heads: dict[str, Head]
    network: keras.Model
    folder: Path

    def start(self, weights: Path) -> Taken:
        return start_from(weights, self.config, self.transform, self.network, self.heads)

    def predict(self, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
        module = ServingModule(self.config, self.transform, self.network, self.heads)
        outputs = module.signatures()["serving_default"](examples=tf.constant([example_of(row) for row in rows]))
        return {name: outputs[name].numpy() for name in self.config.tasks}


def side_of(config: TrainerConfig, table: pa.Table, folder: Path) -> Side:
    transform = run_transform(table, config, folder)
    data = read_examples([str(folder / "examples*.gz")], transform, config)
    heads = make_heads(data, config)
    return Side(config, transform, heads, make_model(config, transform, heads, data).network, folder)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained model: three cities, delays around 100."""
    folder = tmp_path_factory.mktemp("earlier")
    run_transform(table_of(["rome", "oslo", "lima"], 100.0), config_of(), folder)
    run_fn(fn_args(config_of(), folder))
    return folder


@pytest.fixture(scope="module")
def other_table(tmp_path_factory: pytest.TempPathFactory) -> Side:
    """Another table: other cities, in another order of frequency, and delays around 400 with a larger deviation."""
    return side_of(config_of(), table_of(["bern", "lima", "kyiv", "rome"], 400.0), tmp_path_factory.mktemp("grown"))


@pytest.fixture
def grown(other_table: Side) -> Side:
    """With a network of its own."""
    return replace(other_table, network=make_model(config_of(), other_table.transform, other_table.heads).network)


ROWS = [{"x": x, "city": city} for x in (-1.0, 0.3, 2.0) for city in ("rome", "lima")]


def predictions(folder: Path, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Those of the exported model."""
    serve = tf.saved_model.load(str(folder / "model")).signatures["serving_default"]
    outputs = serve(examples=tf.constant([example_of(row) for row in rows]))
    return {name: outputs[name].numpy() for name in ("level", "delay")}


def test_known_rows_are_predicted_as_before(earlier: Path, grown: Side) -> None:
    before = grown.predict(ROWS)
    taken = grown.start(weights_folder(str(earlier / "model")))
    assert taken.left == []
    assert taken.known == {"city": (2, 4)}
    expected, found = predictions(earlier, ROWS), grown.predict(ROWS)
    for task, values in expected.items():
        np.testing.assert_allclose(found[task], values, rtol=1e-5, atol=1e-4)
        assert not np.allclose(before[task], values, rtol=0.01)


def test_new_values_start_as_unknown_ones(earlier: Path, grown: Side) -> None:
    grown.start(weights_folder(str(earlier / "model")))
    found = grown.predict([{"x": 0.5, "city": "bern"}, {"x": 0.5, "city": None}])
    expected = predictions(earlier, [{"x": 0.5, "city": "nowhere"}, {"x": 0.5}])
    np.testing.assert_allclose(found["delay"], expected["delay"], rtol=1e-5)


def test_a_new_feature_leaves_only_embeddings(earlier: Path, tmp_path: Path) -> None:
    features = {**config_of().model_dump()["features"], "more": {"kind": "numeric", "column": "x"}}
    now = side_of(config_of(features=features), table_of(["rome", "oslo"], 100.0), tmp_path)
    taken = now.start(weights_folder(str(earlier / "model")))
    assert taken.variables == ["city_embedding/embeddings"]


def test_a_feature_of_another_meaning_leaves_only_embeddings(earlier: Path, tmp_path: Path) -> None:
    features = config_of().model_dump()["features"]
    features["x"]["scale"] = "z_score"
    now = side_of(config_of(features=features), table_of(["rome", "oslo"], 100.0), tmp_path)
    taken = now.start(weights_folder(str(earlier / "model")))
    assert taken.variables == ["city_embedding/embeddings"]


def test_a_model_without_weights_changes_nothing(grown: Side, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = grown.predict(ROWS)
    with caplog.at_level("INFO", logger="janus.progress"):
        assert grown.start(tmp_path / "none").variables == []
    assert "without weights" in caplog.text
    np.testing.assert_array_equal(grown.predict(ROWS)["delay"], before["delay"])


def test_other_classes_leave_the_head(earlier: Path, tmp_path: Path) -> None:
    tasks = config_of().model_dump()["tasks"]
    tasks["level"]["classes"] = ["2", "1", "0"]
    now = side_of(config_of(tasks=tasks), table_of(["rome", "oslo"], 100.0), tmp_path)
    taken = now.start(weights_folder(str(earlier / "model")))
    assert sorted(taken.left) == ["level_head/bias", "level_head/kernel"]


def test_run_fn_starts_from_the_base_model(earlier: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A learning rate of nearly nothing shows where training began."""
    config = config_of(training={"epochs": 1, "learning_rate": 1e-12, "batch_size": 32, "warm_start": True})
    run_transform(table_of(["rome", "oslo", "lima"], 100.0), config, tmp_path)
    arguments = fn_args(config, tmp_path)
    arguments.base_model = str(earlier / "model")
    with caplog.at_level("INFO", logger="janus.progress"):
        run_fn(arguments)
    assert "warm start: 11 of 11 variables taken over" in caplog.text
    expected, found = predictions(earlier, ROWS), predictions(tmp_path, ROWS)
    np.testing.assert_allclose(found["delay"], expected["delay"], rtol=1e-5)


def test_without_a_base_model_it_starts_as_usual(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_of(training={"epochs": 1, "batch_size": 32, "warm_start": True})
    run_transform(table_of(["rome"], 100.0, rows=60), config, tmp_path)
    with caplog.at_level("INFO", logger="janus.progress"):
        run_fn(fn_args(config, tmp_path))
    assert "no model was blessed before" in caplog.text


def test_damaged_weights_are_named(earlier: Path, tmp_path: Path) -> None:
    shutil.copytree(weights_folder(str(earlier / "model")), tmp_path / "weights")
    (tmp_path / "weights" / "variables.npz").write_bytes(b"no zip")
    now = side_of(config_of(), table_of(["rome"], 100.0, rows=60), tmp_path / "side")
    with pytest.raises(DataError, match=r"training\.warm_start.*weights"):
        now.start(tmp_path / "weights")


def test_a_piecewise_linear_encoding_moves_to_the_new_edges(tmp_path: Path) -> None:
    raw = config_of().model_dump(mode="json")
    raw["model"]["encoding"] = "piecewise_linear"
    config = TrainerConfig.model_validate(raw)
    earlier = side_of(config, table_of(["rome", "oslo", "lima"], 100.0), tmp_path / "earlier")
    later = side_of(config, table_of(["rome", "oslo", "lima", "kyiv"], 100.0), tmp_path / "later")
    save_weights(tmp_path / "weights", earlier.config, earlier.transform, earlier.network, earlier.heads)
    (before,), (after,) = (
        [layer for layer in side.network.layers if isinstance(layer, PiecewiseLinear)] for side in (earlier, later)
    )
    assert "piecewise_linear/kernel" in later.start(tmp_path / "weights").variables
    assert before.edges[0].tolist() != after.edges[0].tolist()
    # At its edges the encoding is what it was; between them it is linear.
    at_edges = after.edges[0][:, None]
    rises = [np.diff(np.asarray(layer(at_edges)), axis=0) for layer in (before, after)]
    np.testing.assert_allclose(rises[1], rises[0], atol=1e-5)
