"""Several networks in one: each is trained by its own losses, and their predictions are averaged."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.stand_in import StandInTransform, random_columns
from tests.trainer.harness import example_of, fn_args, run_transform
from tests.trainer.test_every_kind import FEATURES, LEVELS, every_kind, table_of
from tests.trainer.test_run import history
from tests.trainer.trunks.small import EVERY_KIND
from trainer.balancings import BALANCINGS
from trainer.config import TrainerConfig, classes_of
from trainer.heads import heads_of
from trainer.heads.base import Head
from trainer.label_statistics import label_statistics
from trainer.multitask import MultiTaskModel
from trainer.network import members_of
from trainer.run import make_model, run_fn
from trainer.warm_start import weights_folder

ROWS = 64
TRANSFORM = StandInTransform({name: tf.io.FixedLenFeature([1], tf.float32) for name in FEATURES}, {})


def config_of(members: int, **model: Any) -> TrainerConfig:
    raw = every_kind().model_dump(mode="json")
    raw["model"].update(members=members, **model)
    return TrainerConfig.model_validate(raw)


def batch_of(config: TrainerConfig) -> tuple[dict, dict, dict]:
    """Features, labels and weights, a third of which are 0."""
    rng = np.random.default_rng(4)
    labels: dict[str, np.ndarray] = {}
    for name, task in config.tasks.items():
        if task.kind == "multilabel":
            labels[name] = rng.integers(0, 2, (ROWS, len(classes_of(task)))).astype(np.float32)
        elif task.kind in ("regression", "count"):
            labels[name] = rng.poisson(3, ROWS).astype(np.float32)
        else:
            labels[name] = rng.integers(0, len(classes_of(task)), ROWS)
    weights = {name: rng.integers(0, 3, ROWS).astype(np.float32) for name in config.tasks}
    return random_columns(TRANSFORM, ROWS, seed=2), labels, weights


def model_of(config: TrainerConfig, batch: tuple[dict, dict, dict]) -> tuple[MultiTaskModel, dict[str, Head]]:
    keras.utils.set_random_seed(3)
    statistics = {
        name: label_statistics(name, name, batch[1][name], batch[2][name], len(classes_of(task)))
        for name, task in config.tasks.items()
    }
    heads = heads_of(config.tasks, statistics)
    return make_model(config, TRANSFORM, heads), heads  # type: ignore[arg-type]


def test_predictions_of_every_kind_are_averaged() -> None:
    config = config_of(3)
    batch = batch_of(config)
    model, heads = model_of(config, batch)
    # Far apart, so that a mean of logits would be another prediction.
    for number, member in enumerate(members_of(model.network)):
        for variable in member.trainable_variables:
            variable.assign(variable + 0.4 * number * np.random.default_rng(number).normal(size=variable.shape))
    raw = model.network(batch[0])
    alone = [member.model(batch[0]) for member in model.structure.members]
    for name, head in heads.items():
        found = {key: value.numpy() for key, value in head.outputs(raw[name]).items() if value.dtype != tf.string}
        each = [head.outputs(one[name]) for one in alone]
        for key, values in found.items():
            expected = np.mean([one[key] for one in each], axis=0)
            if key == "buy/conditional":
                click = np.mean([tf.sigmoid(one["click"]) for one in alone], axis=0)
                expected = np.mean([one["buy"] for one in each], axis=0) / click
            np.testing.assert_allclose(values, expected, rtol=2e-4, atol=1e-5, err_msg=key)
    quantiles = heads["delay"].outputs(raw["delay"])["delay/quantiles"].numpy()
    assert quantiles.shape == (ROWS, len(LEVELS))
    assert (np.diff(quantiles) >= 0).all()
    outputs = [one["tags"].numpy() for one in alone]
    assert not np.allclose(outputs[0], outputs[1])


def test_each_member_is_trained_by_its_own_loss() -> None:
    config = config_of(2)
    features, labels, weights = batch = batch_of(config)
    model, heads = model_of(config, batch)
    with tf.GradientTape(persistent=True) as tape:
        together = model._training_losses(features, labels, weights)
        alone = [
            [head.loss(labels[name], raw[name], weights[name]) for name, head in heads.items()]
            for raw in (member.model(features, training=True) for member in model.structure.members)
        ]
    np.testing.assert_allclose(together, np.mean(alone, axis=0), rtol=1e-5)
    for member, losses in zip(model.structure.members, alone, strict=True):
        variables = member.model.trainable_variables
        expected = tape.gradient(losses, variables)
        for one, other in zip(tape.gradient(together, variables), expected, strict=True):
            np.testing.assert_allclose(2 * tf.convert_to_tensor(one), other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("trunk", "balancing"),
    [(trunk, "fixed") for trunk in EVERY_KIND] + [("mmoe", balancing) for balancing in BALANCINGS],
)
def test_members_go_with_every_trunk_and_balancing(trunk: str, balancing: str) -> None:
    keys = {"trunk": {"kind": trunk, "units": [4], **EVERY_KIND[trunk]}, "balancing": {"kind": balancing}}
    config = config_of(2, **keys)
    raw = config.model_dump(mode="json")
    raw["tasks"] = {name: raw["tasks"][name] for name in ("click", "visits")}
    config = TrainerConfig.model_validate(raw)
    batch = batch_of(config)
    model, _ = model_of(config, batch)
    single, _ = model_of(config.model_copy(update={"model": config.model.model_copy(update={"members": 1})}), batch)
    assert len(model.structure.shared_variables) == 2 * len(single.structure.shared_variables)
    assert len(model.structure.last_shared) == 2 * len(single.structure.last_shared)
    before = [variable.numpy() for variable in model.network.trainable_variables]
    assert np.isfinite(float(model.train_step(batch)["loss"]))
    for old, variable in zip(before, model.network.trainable_variables, strict=True):
        assert not np.array_equal(old, variable), variable.path
    if model.structure.gates is not None:
        for key, gate in model.structure.gates(batch[0]).items():
            assert gate.shape[1] == len(set(model.structure.experts[key])) == 2 * len(single.structure.experts[key])
            np.testing.assert_allclose(tf.reduce_sum(gate, axis=1), 1.0, rtol=1e-5)


def test_dropout_may_precede_some_heads_only() -> None:
    config = config_of(1, tower_dropout={"default": 0.5, "delay": 0.0, "visits": 0.0})
    batch = batch_of(config)
    model, heads = model_of(config, batch)
    first, second = (model.network(batch[0], training=True) for _ in range(2))
    for name in heads:
        assert np.array_equal(first[name], second[name]) == (name in ("delay", "visits")), name


@pytest.mark.slow
def test_members_are_exported_and_start_from_each_other(tmp_path: Path) -> None:
    config = config_of(2, encoding="piecewise_linear")
    table = table_of()
    run_transform(table, config, tmp_path)
    run_fn(fn_args(config, tmp_path))
    assert history(tmp_path)[-1]["val_balanced_loss"] < 0.9
    rows = [example_of(row) for row in table.select(FEATURES).slice(0, 20).to_pylist()]

    def served() -> dict[str, np.ndarray]:
        outputs = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"](examples=tf.constant(rows))
        return {name: value.numpy() for name, value in outputs.items() if value.dtype != tf.string}

    earlier = served()
    assert (np.diff(earlier["delay/quantiles"]) >= 0).all()
    raw = config.model_dump(mode="json")
    raw["training"].update(warm_start=True, epochs=1, learning_rate=1e-9)
    args = fn_args(TrainerConfig.model_validate(raw), tmp_path)
    (tmp_path / "base").mkdir()
    weights_folder(args.serving_model_dir).rename(tmp_path / "base" / "weights")
    args.base_model = str(tmp_path / "base" / "model")
    run_fn(args)
    for name, values in served().items():
        np.testing.assert_allclose(values, earlier[name], rtol=1e-3, atol=1e-3, err_msg=name)
