"""Tasks of every kind in one network: it trains, and the export answers what its raw output means."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import trainer.run
from serving.description import read_description
from serving.errors import Code, RequestError
from serving.saved_model import LoadedModel
from serving.warmup import read_warmup, replay, warmup_rows, write_warmup
from tests.trainer.harness import example_of, fn_args, run_transform
from tests.trainer.heads.harness import sigmoid
from trainer.config import TrainerConfig
from trainer.run import run_fn
from trainer.signatures import ServingModule, export

pytestmark = pytest.mark.slow

ROWS = 2000
FEATURES = ("x", "z")
LEVELS = [0.1, 0.5, 0.9]
GRADES = ["d", "c", "b", "a"]
TAGS = ["red", "green", "blue"]

TASKS = {
    # The conditioned task stands before the one that it is given.
    "buy": {"kind": "binary", "label": "buy", "classes": ["no", "yes"], "given": "click"},
    "click": {"kind": "binary", "label": "click", "loss": "focal"},
    "colour": {"kind": "multiclass", "label": "colour", "classes": ["r", "g"], "class_weights": "balanced"},
    "grade": {"kind": "ordinal", "label": "grade", "classes": GRADES, "class_weights": {"a": 2.0}},
    "tags": {"kind": "multilabel", "label": "tags", "classes": TAGS},
    "words": {
        "kind": "multilabel", "label": "words", "classes": TAGS, "separator": "|", "empty": "masked", "loss": "focal",
    },
    "delay": {"kind": "regression", "label": "delay", "loss": "quantile", "quantiles": LEVELS},
    "visits": {"kind": "count", "label": "visits", "sample_weight": "days"},
}  # fmt: skip


def every_kind(**training: object) -> TrainerConfig:
    return TrainerConfig.model_validate(
        {
            "seed": 5,
            "features": {"x": {"kind": "numeric"}, "z": {"kind": "numeric"}},
            "tasks": TASKS,
            "model": {"trunk": {"kind": "shared_bottom", "units": [16]}, "towers": {"default": [8]}},
            "training": {"epochs": 6, "batch_size": 64, "learning_rate": 0.01, **training},
        }
    )


def table_of(rows: int = ROWS) -> pa.Table:
    rng = np.random.default_rng(11)
    x, z = rng.normal(size=(2, rows))
    click = rng.random(rows) < sigmoid(1.5 * x)
    buy = click & (rng.random(rows) < sigmoid(2 * z))
    score = x + z + 0.5 * rng.normal(size=rows)
    applies = np.stack([x > 0.3, z > 0.0, x + z < -0.5], axis=1)
    tags = [[tag for tag, there in zip(TAGS, row, strict=True) if there] for row in applies]
    missing = rng.random(rows) < 0.1
    days = rng.integers(0, 4, rows).astype(float)
    return pa.table(
        {
            "x": pa.array(x, pa.float32()),
            "z": pa.array(z, pa.float32()),
            "buy": pa.array(np.where(buy, "yes", "no")),
            "click": pa.array(click.astype(int), pa.int64()),
            "colour": pa.array(np.where(x - z > 0.8, "r", "g")),
            "grade": pa.array(np.array(GRADES)[np.digitize(score, [-1.5, 0.0, 1.5])], mask=missing),
            "tags": pa.array([["purple"] if missing[i] else row for i, row in enumerate(tags)], pa.list_(pa.string())),
            "words": pa.array(["|".join(row) for row in tags]),
            "delay": pa.array(100 + 5 * x + rng.normal(size=rows) * np.exp(1 + 0.5 * z), pa.float32()),
            "visits": pa.array(rng.poisson(np.exp(0.5 + 0.7 * x)), pa.int64()),
            "days": pa.array(days, pa.float32(), mask=missing),
        }
    )


@dataclass(frozen=True)
class Run:
    table: pa.Table
    module: ServingModule
    folder: Path

    def signature(self, name: str) -> Callable[..., dict[str, tf.Tensor]]:
        return tf.saved_model.load(str(self.folder / "model")).signatures[name]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("every_kind")
    table, exported = table_of(), []

    def export_and_keep(module: ServingModule, path: str) -> None:
        export(module, path)
        exported.append(module)

    run_transform(table, every_kind(), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.run, "export", export_and_keep)
        run_fn(fn_args(every_kind(), folder))
    return Run(table, exported[0], folder)


@pytest.fixture(scope="module")
def raw(run: Run) -> dict[str, np.ndarray]:
    """The network's raw output for the table's first rows."""
    columns = {name: run.table[name].to_numpy() for name in FEATURES}
    scaled = {name: (values[:40] - values.mean()) / values.std() for name, values in columns.items()}
    outputs = run.module._network({name: tf.constant(values[:, None], tf.float32) for name, values in scaled.items()})
    return {name: value.numpy().astype(np.float64) for name, value in outputs.items()}


def by_hand(raw: dict[str, np.ndarray], mean: float, deviation: float) -> dict[str, np.ndarray]:
    """What the signatures must answer."""
    click = sigmoid(raw["click"])
    conditional = sigmoid(raw["buy"][:, 1:])
    colour = np.exp(raw["colour"]) / np.exp(raw["colour"]).sum(axis=1, keepdims=True)
    above = np.pad(np.pad(sigmoid(raw["grade"]), ((0, 0), (1, 0)), constant_values=1.0), ((0, 0), (0, 1)))
    grade = np.maximum(-np.diff(above, axis=1), 0.0)
    grade /= grade.sum(axis=1, keepdims=True)
    quantiles = raw["delay"] * deviation + mean
    return {
        "click": click,
        "click/probabilities": np.concatenate([1 - click, click], axis=1),
        "buy": click * conditional,
        "buy/conditional": conditional,
        "buy/probabilities": np.concatenate([1 - click * conditional, click * conditional], axis=1),
        "colour": colour,
        "colour/probabilities": colour,
        "grade": grade,
        "grade/probabilities": grade,
        "tags": sigmoid(raw["tags"]),
        "tags/probabilities": sigmoid(raw["tags"]),
        "words": sigmoid(raw["words"]),
        "words/probabilities": sigmoid(raw["words"]),
        "delay": quantiles[:, 1:2],
        "delay/quantiles": quantiles,
        "delay/levels": np.tile(LEVELS, (len(quantiles), 1)),
        "visits": np.exp(raw["visits"]),
    }


def test_both_signatures_answer_what_the_raw_output_means(run: Run, raw: dict[str, np.ndarray]) -> None:
    rows = run.table.select(FEATURES).slice(0, 40).to_pylist()
    examples = tf.constant([example_of(row) for row in rows])
    columns = {name: tf.constant([row[name] for row in rows], tf.float32) for name in FEATURES}
    statistics = run.module._heads["delay"].statistics
    expected = by_hand(raw, statistics.mean, statistics.deviation)
    classes = {"click": ["0", "1"], "buy": ["no", "yes"], "colour": ["r", "g"], "grade": GRADES}
    classes |= {"tags": TAGS, "words": TAGS}
    for outputs in (
        run.signature("serving_default")(examples=examples),
        run.signature("serving_columns")(**columns),
    ):
        decided = {"click/decision", "buy/decision"}
        assert set(outputs) == {*expected, *(f"{name}/classes" for name in classes), *decided}
        for name, values in expected.items():
            np.testing.assert_allclose(outputs[name], values, rtol=1e-3, atol=1e-4, err_msg=name)
            assert outputs[name].dtype == tf.float32
        for name, values in classes.items():
            assert outputs[f"{name}/classes"].numpy().tolist() == [[v.encode() for v in values]] * 40
        assert (np.diff(outputs["delay/quantiles"], axis=1) >= 0).all()


def history(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "logs" / "history.json").read_text())


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"mixed_precision": "bfloat16"}])
def test_options_train_as_the_default_does(run: Run, tmp_path: Path, options: dict) -> None:
    for name in run.folder.glob("examples*.gz"):
        shutil.copy(name, tmp_path)
    shutil.copytree(run.folder / "transform", tmp_path / "transform")
    run_fn(fn_args(every_kind(epochs=1, **options), tmp_path))
    tolerance = 0.05 if "mixed_precision" in options else 1e-3
    first, expected = history(tmp_path)[0], history(run.folder)[0]
    for name in TASKS:
        assert first[f"val_{name}_loss"] == pytest.approx(expected[f"val_{name}_loss"], rel=tolerance), name


def test_every_task_learns(run: Run) -> None:
    last = history(run.folder)[-1]
    for name in ("buy", "click", "colour", "tags", "words"):
        # Clicks and purchases are random: knowing their probabilities gives little more than 0.8.
        assert last[f"val_{name}_auc"] > (0.7 if name in ("buy", "click") else 0.9), name
    # Always the middle class is 0.75 off on average, the median delay 4.8, and the mean number of visits deviates by 2.
    assert last["val_grade_mae"] < 0.45
    assert last["val_delay_mae"] < 3.5
    assert last["val_visits_deviance"] < 1.4
    for name, head in run.module._heads.items():
        assert last[f"val_{name}_loss"] < head.trivial_loss(), name


def test_quantiles_cover_their_share(run: Run) -> None:
    rows = run.table.select(FEATURES).to_pylist()
    outputs = run.signature("serving_default")(examples=tf.constant([example_of(row) for row in rows]))
    below = run.table["delay"].to_numpy()[:, None] <= outputs["delay/quantiles"].numpy()
    np.testing.assert_allclose(below.mean(axis=0), LEVELS, atol=0.1)


def test_labels_and_weights_for_the_evaluator(run: Run) -> None:
    examples = [
        example_of({"grade": "b", "tags": ["red", "blue"], "words": "green|red", "visits": 3, "days": 2.5}),
        example_of({"tags": ["purple"], "words": "", "visits": 4}),
        example_of({"tags": [], "words": "black", "visits": -1, "days": 1.0}),
    ]
    found = run.signature("transform_features")(examples=tf.constant(examples))
    assert set(found) == {f"{name}/{part}" for name in TASKS for part in ("label", "weight")}
    assert found["grade/label"].numpy().tolist() == [[2], [0], [0]]
    assert found["tags/label"].numpy().tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert found["tags/weight"].numpy().tolist() == [[1], [0], [1]]
    assert found["words/label"].numpy().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert found["words/weight"].numpy().tolist() == [[1], [0], [0]]
    assert found["visits/label"].numpy().tolist() == [[3], [4], [0]]
    assert found["visits/weight"].numpy().tolist() == [[2.5], [0], [0]]


def test_label_statistics_are_weighted(run: Run) -> None:
    statistics = run.module._heads["visits"].statistics
    days = np.nan_to_num(run.table["days"].to_numpy())
    # A tenth of the rows is held out for validation.
    assert statistics.count == pytest.approx(0.9 * (days > 0).sum(), rel=0.03)
    assert statistics.mean == pytest.approx(np.average(run.table["visits"].to_numpy(), weights=days), rel=0.05)
    assert set(np.unique(statistics.weights)) == {1.0, 2.0, 3.0}


@pytest.fixture(scope="module")
def loaded(run: Run) -> Iterator[LoadedModel]:
    """The exported model as TF Serving loads it."""
    model = LoadedModel(run.folder / "model")
    yield model
    model.close()


@pytest.fixture(scope="module")
def examples(run: Run) -> np.ndarray:
    rows = run.table.select(FEATURES).slice(0, 10).to_pylist()
    return np.array([example_of(row) for row in rows], object)


def test_each_task_has_a_signature_of_its_own(loaded: LoadedModel, examples: np.ndarray) -> None:
    whole = loaded.run("serving_default", {"examples": examples})
    for task, config in TASKS.items():
        found = loaded.run(task, {"inputs": examples})
        if config["kind"] in ("regression", "count"):
            assert loaded.signatures[task].method_name == "tensorflow/serving/regress"
            np.testing.assert_allclose(found["outputs"], whole[task], rtol=1e-6)
        else:
            assert loaded.signatures[task].method_name == "tensorflow/serving/classify"
            np.testing.assert_array_equal(found["classes"], whole[f"{task}/classes"])
            np.testing.assert_allclose(found["scores"], whole[f"{task}/probabilities"], rtol=1e-6)
            assert found["classes"].shape == found["scores"].shape


def test_one_run_of_the_graph_answers_several_tasks(loaded: LoadedModel, examples: np.ndarray) -> None:
    """As MultiInference needs it: the same placeholder everywhere."""
    (placeholder,) = {loaded.signatures[task].inputs["inputs"].name for task in TASKS}
    names = [loaded.signatures["click"].outputs["scores"].name, loaded.signatures["visits"].outputs["outputs"].name]
    scores, visits = loaded.run_tensors([(placeholder, examples)], names)
    whole = loaded.run("serving_default", {"examples": examples})
    np.testing.assert_allclose(scores, whole["click/probabilities"], rtol=1e-6)
    np.testing.assert_allclose(visits, whole["visits"], rtol=1e-6)


def test_the_model_describes_itself(run: Run) -> None:
    description = read_description(run.folder / "model")
    assert description is not None
    assert list(description.tasks) == list(TASKS)
    delay = description.tasks["delay"]
    assert (delay.kind, delay.label, delay.quantiles) == ("regression", "delay", LEVELS)
    assert delay.outputs == ["delay", "delay/levels", "delay/quantiles"]
    assert description.tasks["grade"].classes == GRADES
    assert description.tasks["grade"].signature == "grade"
    assert list(description.columns) == list(FEATURES)
    x = description.columns["x"]
    assert (x.dtype, x.required, x.kinds) == ("float", False, ["numeric"])


def test_warm_up_requests_name_every_signature_and_can_be_answered(
    run: Run, loaded: LoadedModel, examples: np.ndarray, tmp_path: Path
) -> None:
    shutil.copytree(run.folder / "model", tmp_path / "model")
    rows = [example_of(row) for row in run.table.slice(0, 3).to_pylist()]
    count = write_warmup(tmp_path / "model", rows)
    logs = read_warmup(tmp_path / "model")
    assert count == len(logs) == 2 * 2 + len(TASKS) + 1
    named = {
        getattr(log, log.WhichOneof("log_type")).request.model_spec.signature_name
        for log in logs
        if not log.HasField("multi_inference_log")
    }
    assert named == {"serving_default", "serving_columns", *TASKS}
    assert [task.model_spec.signature_name for task in logs[-1].multi_inference_log.request.tasks] == sorted(TASKS)
    for log in logs:
        replay(loaded, log)
    kept = warmup_rows(tmp_path / "model")
    assert [sorted(tf.train.Example.FromString(row).features.feature) for row in kept] == [list(FEATURES)] * 3
    before = (tmp_path / "model/assets.extra/tf_serving_warmup_requests").read_bytes()
    write_warmup(tmp_path / "model", rows)
    assert (tmp_path / "model/assets.extra/tf_serving_warmup_requests").read_bytes() == before


def test_a_request_that_the_model_cannot_answer_is_refused(loaded: LoadedModel, examples: np.ndarray) -> None:
    with pytest.raises(RequestError, match='key "nothing" not found') as unknown:
        loaded.run("nothing", {"examples": examples})
    assert unknown.value.code == Code.FAILED_PRECONDITION
    with pytest.raises(RequestError, match=r"missing but required: \{examples\}") as missing:
        loaded.run("serving_default", {})
    assert missing.value.code == Code.INVALID_ARGUMENT
    with pytest.raises(RequestError, match="Could not parse example input") as malformed:
        loaded.run("serving_default", {"examples": np.array([b"\xff"], object)})
    assert malformed.value.code == Code.INVALID_ARGUMENT
    with pytest.raises(RequestError, match="output tensor alias not found"):
        loaded.run("serving_default", {"examples": examples}, ["status"])
    assert loaded.run("click", {"inputs": examples[:0]})["scores"].shape == (0, 2)
