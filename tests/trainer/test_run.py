"""Training whole: it learns, is deterministic, resumes, and exports what the signatures promise."""

import contextlib
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import trainer.run
from janus_core.progress import PROGRESS, EpochEnded, EpochStarted, Event, event_of
from tests.trainer.conftest import Trained
from tests.trainer.harness import example_of, fn_args
from trainer.callbacks import Checkpoint
from trainer.config import TrainerConfig
from trainer.input import read_training_data
from trainer.multitask import MultiTaskModel
from trainer.run import run_fn

pytestmark = pytest.mark.slow

FEATURES = ("x", "constant", "city", "code", "hour", "v")


def history(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "logs" / "history.json").read_text())


def rows_of(trained: Trained, count: int) -> list[dict]:
    return trained.table.select(FEATURES).slice(0, count).to_pylist()


def copy_inputs(trained: Trained, folder: Path) -> Path:
    for name in trained.folder.glob("examples*.gz"):
        shutil.copy(name, folder)
    shutil.copytree(trained.folder / "transform", folder / "transform")
    return folder


def columns_of(rows: list[dict]) -> dict[str, tf.Tensor]:
    nan = float("nan")

    def values(name: str, missing: object) -> list:
        return [missing if row[name] is None else row[name] for row in rows]

    return {
        "x": tf.constant(values("x", nan), tf.float32),
        "constant": tf.constant(values("constant", nan), tf.float32),
        "city": tf.constant(values("city", ""), tf.string),
        "code": tf.constant(values("code", nan), tf.float64),
        "hour": tf.constant(values("hour", nan), tf.float64),
        "v": tf.constant(values("v", [nan] * 3), tf.float32),
    }


def test_it_learns(trained: Trained) -> None:
    last = history(trained.folder)[-1]
    assert last["val_balanced_loss"] < 0.6
    assert last["val_late_auc"] > 0.9
    assert last["val_delay_mae"] < 20.0


def test_checkpoints_are_removed_when_done(trained: Trained) -> None:
    assert list((trained.folder / "checkpoints").glob("*")) == []


def test_tensorboard_has_each_tasks_loss(trained: Trained) -> None:
    tags = set()
    for file in (trained.folder / "logs").rglob("events.out.tfevents.*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            tags |= {value.tag for value in event.summary.value}
    assert {"epoch_late_loss", "epoch_level_loss", "epoch_delay_loss", "epoch_delay_mae"} <= tags


def test_signatures_agree(trained: Trained) -> None:
    model = tf.saved_model.load(str(trained.folder / "model"))
    rows = rows_of(trained, 50)
    by_example = model.signatures["serving_default"](examples=tf.constant([example_of(row) for row in rows]))
    by_column = model.signatures["serving_columns"](**columns_of(rows))
    assert set(by_example) == {
        "late", "late/classes", "late/decision", "late/probabilities",
        "level", "level/classes", "level/probabilities", "delay",
    }  # fmt: skip
    for name, value in by_example.items():
        if value.dtype != tf.string:
            np.testing.assert_allclose(value, by_column[name], atol=1e-5, rtol=1e-5)
    assert by_example["late"].shape == (50, 1)
    assert by_example["level"].shape == (50, 3)
    assert by_example["delay"].shape == (50, 1)


def test_missing_and_unseen_values_answer_finite_numbers(trained: Trained) -> None:
    model = tf.saved_model.load(str(trained.folder / "model"))
    required = {"hour": 5}
    unseen = {**required, "city": "atlantis", "x": float("nan"), "code": 99}
    outputs = model.signatures["serving_default"](examples=tf.constant([example_of(required), example_of(unseen)]))
    for name, value in outputs.items():
        if value.dtype != tf.string:
            assert np.isfinite(value).all(), name


def test_labels_for_the_evaluator(trained: Trained) -> None:
    model = tf.saved_model.load(str(trained.folder / "model"))
    examples = [example_of({"late": "yes", "level": 2}), example_of({"delay": 12.5, "late": "no"})]
    labels = model.signatures["transform_features"](examples=tf.constant(examples))
    assert labels["late/label"].numpy().tolist() == [[1], [0]]
    assert labels["level/label"].numpy()[0].tolist() == [2]
    assert labels["level/weight"].numpy().tolist() == [[1.0], [0.0]]
    assert labels["delay/label"].numpy().tolist() == [[0.0], [12.5]]
    assert labels["delay/weight"].numpy().tolist() == [[0.0], [1.0]]


def test_defaults_stand_for_absent_columns(trained: Trained) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((trained.folder / "model" / "saved_model.pb").read_bytes())
    defaults = saved_model.meta_graphs[0].signature_def["serving_columns"].defaults
    assert set(defaults) == set(FEATURES) - {"hour"}
    model = tf.saved_model.load(str(trained.folder / "model"))
    filled = {name: tf.constant(tf.make_ndarray(value)) for name, value in defaults.items()}
    outputs = model.signatures["serving_columns"](**{**filled, "hour": tf.constant([1.0, 13.0], tf.float64)})
    hours = [example_of({"hour": 1}), example_of({"hour": 13})]
    expected = model.signatures["serving_default"](examples=tf.constant(hours))
    np.testing.assert_allclose(outputs["delay"], expected["delay"], rtol=1e-5)


def test_a_process_with_tensorflow_alone_can_serve_it(trained: Trained, tmp_path: Path) -> None:
    rows = rows_of(trained, 3)
    record = tmp_path / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(record)) as writer:
        for row in rows:
            writer.write(example_of(row))
    script = (
        "import sys, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "rows = list(tf.data.TFRecordDataset(sys.argv[2]).as_numpy_iterator())\n"
        "print(model.signatures['serving_default'](examples=tf.constant(rows))['delay'].numpy().reshape(-1).tolist())\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('trainer', 'pipeline', 'tensorflow_transform', 'tfx')]\n"
        "assert not bad, bad\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(trained.folder / "model"), str(record)],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    model = tf.saved_model.load(str(trained.folder / "model"))
    expected = model.signatures["serving_default"](examples=tf.constant([example_of(row) for row in rows]))["delay"]
    np.testing.assert_allclose(json.loads(result.stdout), expected.numpy().reshape(-1), rtol=1e-5)


@contextlib.contextmanager
def listening() -> Iterator[list[tuple[Event, float]]]:
    """What a training tells meanwhile, each with the share of the epoch's steps that was done then."""
    told: list[tuple[Event, float]] = []
    shares: list[Callable[[], float]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event = event_of(record)
            if isinstance(event, EpochStarted):
                assert event.share_done is not None
                shares.append(event.share_done)
            if event is not None:
                told.append((event, shares[-1]()))

    listener = Listener()
    PROGRESS.addHandler(listener)
    level = PROGRESS.level
    PROGRESS.setLevel(logging.INFO)
    try:
        yield told
    finally:
        PROGRESS.removeHandler(listener)
        PROGRESS.setLevel(level)


def test_same_seed_same_weights_and_a_killed_training_resumes_to_them(trained: Trained, tmp_path: Path) -> None:
    folder = copy_inputs(trained, tmp_path)
    args = fn_args(trained.config, folder, folder / "checkpoints")
    killed_after = 1
    original = Checkpoint.on_epoch_end

    def kill(self: Checkpoint, epoch: int, logs: dict | None = None) -> None:
        original(self, epoch, logs)
        if epoch == killed_after:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", kill)
        with pytest.raises(KeyboardInterrupt):
            run_fn(args)
    assert len(list((folder / "checkpoints").rglob("state.json"))) == 1
    with listening() as told:
        run_fn(args)
    epochs = trained.config.training.epochs
    assert [(event.epoch, share) for event, share in told] == [
        (epoch, share) for epoch in range(killed_after + 2, epochs + 1) for share in (0.0, 1.0)
    ], "the resumed training counts its steps from where it starts"
    left = [event.remaining_seconds for event, _ in told if isinstance(event, EpochEnded)]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0.0
    assert [set(event.tasks) for event, _ in told if isinstance(event, EpochEnded)] == [
        set(trained.config.tasks)
    ] * len(left)
    resumed, whole = history(folder), history(trained.folder)
    assert len(resumed) == len(whole)
    for a, b in zip(resumed, whole, strict=True):
        assert a == pytest.approx(b, abs=1e-6)


def test_a_training_killed_while_it_exports_does_not_train_again(trained: Trained, tmp_path: Path) -> None:
    folder = copy_inputs(trained, tmp_path)
    args = fn_args(trained.config, folder, folder / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.run, "export", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_fn(args)
        patch.undo()
        patch.setattr(MultiTaskModel, "fit", _interrupt)
        run_fn(args)
    assert history(folder) == history(trained.folder)
    outputs = [
        tf.saved_model.load(str(place / "model")).signatures["serving_default"](
            examples=tf.constant([example_of(row) for row in rows_of(trained, 20)])
        )["delay"]
        for place in (folder, trained.folder)
    ]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)


def _interrupt(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_another_seed_differs(trained: Trained, tmp_path: Path) -> None:
    folder = copy_inputs(trained, tmp_path)
    config = trained.config.model_copy(update={"seed": 4})
    run_fn(fn_args(config, folder))
    assert history(folder)[0]["loss"] != history(trained.folder)[0]["loss"]


def test_best_weights_are_restored(trained: Trained, tmp_path: Path) -> None:
    """With a learning rate that explodes, the best epoch is not the last and its model is exported."""
    folder = copy_inputs(trained, tmp_path)
    raw = trained.config.model_dump(mode="json")
    raw["training"].update(learning_rate=1.0, optimizer="sgd", epochs=6, early_stopping={"patience": 1})
    config = TrainerConfig.model_validate(raw)
    run_fn(fn_args(config, folder))
    values = [epoch["val_balanced_loss"] for epoch in history(folder)]
    best = int(np.argmin(values))
    assert len(values) == min(6, best + 3)


def test_streamed_and_in_memory_hold_the_same_rows(trained: Trained) -> None:
    def read(limit: int | None) -> tuple[np.ndarray, np.ndarray, bool]:
        data = read_training_data(
            [str(trained.folder / "examples*.gz")],
            trained.transform.transformed_feature_spec(),
            ["x"],
            ["delay"],
            batch_size=50,
            validation_fraction=0.1,
            seed=1,
            memory_limit=limit,
        )
        rows = [np.concatenate([b[0]["x"].numpy() for b in part]) for part in (data.train, data.validation)]
        assert (len(rows[0]), len(rows[1])) == (data.rows, data.validation_rows)
        return rows[0], rows[1], data.in_memory

    memory, stream = read(None), read(0)
    assert (memory[2], stream[2]) == (True, False)
    np.testing.assert_array_equal(np.sort(memory[0], axis=0), np.sort(stream[0], axis=0))
    np.testing.assert_array_equal(np.sort(memory[1], axis=0), np.sort(stream[1], axis=0))
    assert len(memory[1]) == round(0.1 * trained.table.num_rows)


def test_rows_in_another_order_give_the_same_batches(trained: Trained, tmp_path: Path) -> None:
    records = [r.numpy() for r in tf.data.TFRecordDataset(trained_files(trained), compression_type="GZIP")]
    rng = np.random.default_rng(2)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    for part, chosen in enumerate(np.array_split(rng.permutation(len(records)), 3)):
        with tf.io.TFRecordWriter(str(tmp_path / f"examples-{part}.gz"), options) as writer:
            for index in chosen:
                writer.write(records[index])
    batches = []
    for pattern in (trained_files(trained), [str(tmp_path / "examples-*.gz")]):
        data = read_training_data(
            pattern,
            trained.transform.transformed_feature_spec(),
            ["x", "city"],
            ["delay"],
            batch_size=100,
            validation_fraction=0.1,
            seed=1,
        )
        data.epoch.assign(1)
        batches.append([*data.train, *data.validation])
    for one, other in zip(*batches, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("limit", [None, 0])
def test_few_distinct_rows(tmp_path: Path, limit: int | None) -> None:
    """Equal rows have equal hashes; none is lost or read twice."""
    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in ("x", "y/label", "y/weight")}
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(tmp_path / "examples.gz"), options) as writer:
        for row in range(200):
            writer.write(example_of({"x": float(row % 2), "y/label": 1.0, "y/weight": 1.0}))
    data = read_training_data(
        [str(tmp_path / "examples.gz")], spec, ["x"], ["y"], 32, validation_fraction=0.1, seed=1, memory_limit=limit
    )
    parts = [np.concatenate([batch[0]["x"].numpy()[:, 0] for batch in part]) for part in (data.train, data.validation)]
    assert [len(part) for part in parts] == [data.rows, data.validation_rows]
    assert data.rows > 0
    assert data.validation_rows > 0
    assert sorted(np.concatenate(parts)) == [0.0] * 100 + [1.0] * 100


def trained_files(trained: Trained) -> list[str]:
    return sorted(map(str, trained.folder.glob("examples*.gz")))


def test_the_shuffle_depends_on_the_epoch(trained: Trained) -> None:
    for limit in (None, 0):
        data = read_training_data(
            [str(trained.folder / "examples*.gz")],
            trained.transform.transformed_feature_spec(),
            ["x"],
            ["delay"],
            batch_size=2000,
            validation_fraction=0.1,
            seed=1,
            memory_limit=limit,
        )
        epochs = []
        for epoch in (0, 1, 0):
            data.epoch.assign(epoch)
            epochs.append(np.concatenate([batch[0]["x"].numpy() for batch in data.train]))
        assert not np.array_equal(epochs[0], epochs[1])
        np.testing.assert_array_equal(epochs[0], epochs[2])


def test_keras_is_three() -> None:
    assert keras.__version__.startswith("3.")
