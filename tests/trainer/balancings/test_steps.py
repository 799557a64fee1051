"""Balancing within the model's training step."""

import logging
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.balancings.test_cagrad import direction
from tests.trainer.balancings.test_pcgrad import projected
from tests.trainer.balancings.toy import BATCH, KINDS, Batch, toy_config, toy_dataset, toy_heads, toy_model, toy_rows
from trainer.balancings import BALANCINGS
from trainer.balancings.fixed import Fixed
from trainer.multitask import MultiTaskModel

pytestmark = pytest.mark.slow


def batch_of(rows: Batch, start: int = 0) -> tuple[dict, dict, dict]:
    return tuple({name: tf.constant(values[start : start + BATCH]) for name, values in part.items()} for part in rows)  # type: ignore[return-value]


def task_gradients(model: MultiTaskModel, batch: tuple, config: Any, rows: Batch) -> dict[str, list[np.ndarray | None]]:
    """Each task's gradient, by a tape of its own."""
    features, labels, weights = batch
    found = {}
    for name, head in toy_heads(config, rows).items():
        with tf.GradientTape() as tape:
            loss = head.loss(labels[name], model.network(features, training=True)[name], weights[name])
        gradients = tape.gradient(loss, model.network.trainable_variables)
        found[name] = [None if g is None else tf.convert_to_tensor(g).numpy() for g in gradients]
    return found


def applied(model: MultiTaskModel, batch: tuple) -> list[np.ndarray]:
    """What one step of SGD with rate 1 takes from the variables: the gradient itself."""
    before = [variable.numpy() for variable in model.network.trainable_variables]
    model.train_step(batch)
    return [old - new.numpy() for old, new in zip(before, model.network.trainable_variables, strict=True)]


def is_shared(variable: Any) -> bool:
    return variable.path.split("/")[0] in ("embedding", "trunk")


@pytest.mark.parametrize("kind", ["pcgrad", "cagrad"])
@pytest.mark.parametrize("start", [0, BATCH], ids=["all tasks", "one without labels"])
def test_gradients_are_combined_on_shared_variables_alone(kind: str, start: int) -> None:
    rows = toy_rows()
    # Two tasks that want the opposite of each other.
    rows[1]["b"] = -rows[1]["a"]
    config = toy_config(KINDS[kind], a={"loss_weight": 2.0})
    model = toy_model(config, rows, optimizer=keras.optimizers.SGD(1.0))
    batch = batch_of(rows, start)
    gradients = task_gradients(model, batch, config, rows)
    priors = {"a": 2.0, "b": 1.0, "c": 1.0}
    shared = [is_shared(variable) for variable in model.network.trainable_variables]
    flat = np.stack(
        [
            priors[name] * np.concatenate([g.reshape(-1) for g, s in zip(gradients[name], shared, strict=True) if s])
            for name in "abc"
        ]
    )
    steps = applied(model, batch)
    actual = np.concatenate([step.reshape(-1) for step, s in zip(steps, shared, strict=True) if s])
    assert flat[0] @ flat[1] < 0
    if kind == "cagrad":
        present = [1.0, 1.0, float(start == 0)]
        expected = direction(flat, 0.4, present)
    else:
        orders = [np.array([[i, j, k], [i, j, k], [i, j, k]]) for i, j, k in ((0, 1, 2), (2, 1, 0), (1, 2, 0))]
        candidates = [projected(flat, order).sum(axis=0) for order in orders]
        expected = min(candidates, key=lambda candidate: np.abs(candidate - actual).max())
        assert np.abs(expected - flat.sum(axis=0)).max() > 1e-3
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    for index, variable in enumerate(model.network.trainable_variables):
        if not shared[index]:
            owner = variable.path.split("_")[0]
            np.testing.assert_allclose(steps[index], priors[owner] * gradients[owner][index], atol=1e-5)


def test_weightings_apply_the_weights_that_they_log() -> None:
    rows = toy_rows()
    for kind in ("fixed", "uncertainty", "dwa", "gradnorm", "famo"):
        config = toy_config(KINDS[kind], a={"loss_weight": 0.5})
        model = toy_model(config, rows, optimizer=keras.optimizers.SGD(1.0))
        for start in (0, BATCH):
            batch = batch_of(rows, start)
            gradients = task_gradients(model, batch, config, rows)
            model.reset_metrics()
            before = [variable.numpy() for variable in model.network.trainable_variables]
            logs = model.train_step(batch)
            for index, variable in enumerate(model.network.trainable_variables):
                parts = [
                    float(logs[f"{n}_weight"]) * gradients[n][index] for n in "abc" if gradients[n][index] is not None
                ]
                np.testing.assert_allclose(before[index] - variable.numpy(), sum(parts), atol=2e-5)
                variable.assign(before[index])


def test_gradnorm_sees_the_norms_at_the_last_shared_layer() -> None:
    rows = toy_rows()
    config = toy_config(KINDS["gradnorm"])
    model = toy_model(config, rows)
    seen = {}
    model.balancing.learn = lambda losses, present, norms: seen.update(norms=norms.numpy(), losses=losses.numpy())
    batch = batch_of(rows)
    gradients = task_gradients(model, batch, config, rows)
    model.train_step(batch)
    last = [variable.path.startswith("trunk/") for variable in model.network.trainable_variables]
    assert sum(last) == 2
    for index, name in enumerate("abc"):
        parts = [g.reshape(-1) for g, chosen in zip(gradients[name], last, strict=True) if chosen]
        assert seen["norms"][index] == pytest.approx(np.linalg.norm(np.concatenate(parts)), rel=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("fixed", "dwa", "pcgrad", "cagrad")])
def test_a_batch_without_labels_moves_nothing_of_the_task(kind: str) -> None:
    rows = toy_rows()
    model = toy_model(toy_config(KINDS[kind]), rows)
    for start in range(0, 6 * BATCH, BATCH):
        batch = batch_of(rows, start)
        before = [variable.numpy()[..., 2].copy() for variable in model.balancing.variables]
        model.reset_metrics()
        logs = model.train_step(batch)
        after = [variable.numpy()[..., 2] for variable in model.balancing.variables]
        same = all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
        assert same is (start == BATCH)
        assert (float(logs["c_weight"]) == 0) is (start == BATCH)
        assert float(logs["a_weight"]) > 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_compiled_in_loops_and_by_xla_it_is_the_same(kind: str) -> None:
    # With more than two tasks PCGrad's order matters, and XLA draws other random numbers than TensorFlow.
    tasks = ("a", "b") if kind == "pcgrad" else ("a", "b", "c")
    rows = toy_rows(tasks=tasks)
    outcomes = []
    for options in ({"run_eagerly": True}, {"steps_per_execution": 3}, {"jit_compile": True}):
        model = toy_model(toy_config(KINDS[kind], tasks), rows, **options)
        history = model.fit(toy_dataset(rows), epochs=2, verbose=0, shuffle=False).history
        outcomes.append((history, [variable.numpy() for variable in model.balancing.variables]))
    names = {"loss", *(f"{task}_{what}" for task in tasks for what in ("loss", "weight"))}
    conflicts = {f"{task}_conflict" for task in tasks} if kind in ("pcgrad", "cagrad") else set()
    assert set(outcomes[0][0]) == names | conflicts
    for history, state in outcomes[1:]:
        for name, values in outcomes[0][0].items():
            np.testing.assert_allclose(history[name], values, rtol=2e-4, atol=1e-5, err_msg=name)
        for one, other in zip(outcomes[0][1], state, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_scaled_loss_changes_nothing(kind: str) -> None:
    """With float16 the loss is scaled up before its gradient is taken; an overflow skips the step, and no more."""
    rows = toy_rows()
    outcomes = []
    for optimizer in (
        keras.optimizers.Adam(0.01),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=2.0**12),
    ):
        model = toy_model(toy_config(KINDS[kind]), rows, optimizer=optimizer)
        outcomes.append(model.fit(toy_dataset(rows), epochs=2, verbose=0, shuffle=False).history)
    for name, values in outcomes[0].items():
        np.testing.assert_allclose(outcomes[1][name], values, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", ["gradnorm", "pcgrad", "cagrad"])
def test_an_overflown_scale_is_recovered_from(kind: str) -> None:
    rows = toy_rows()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=2.0**127)
    model = toy_model(toy_config(KINDS[kind]), rows, optimizer=optimizer)
    history = model.fit(toy_dataset(rows), epochs=10, verbose=0, shuffle=False).history
    assert float(optimizer.dynamic_scale.numpy()) < 2.0**127
    assert history["a_loss"][-1] < history["a_loss"][0]
    assert all(np.isfinite(variable.numpy()).all() for variable in model.balancing.variables)


def test_conflicts_are_counted() -> None:
    rows = toy_rows(tasks=("a", "b"))
    rows[1]["b"] = -rows[1]["a"]
    rows[2]["b"] = rows[2]["a"]
    model = toy_model(toy_config({"kind": "pcgrad"}, ("a", "b")), rows, optimizer=keras.optimizers.SGD(0.0))
    heads = [variable for variable in model.network.trainable_variables if not is_shared(variable)]
    heads[2].assign(heads[0])
    logs = model.train_step(batch_of(rows))
    assert float(logs["a_conflict"]) == float(logs["b_conflict"]) == 1.0
    heads[2].assign(-heads[0].numpy())
    model.reset_metrics()
    assert float(model.train_step(batch_of(rows))["a_conflict"]) == 0.0


def test_all_kinds_are_tested() -> None:
    assert {settings["kind"] for settings in KINDS.values()} == set(BALANCINGS)


@pytest.mark.parametrize(
    ("tasks", "changes", "shared", "reason"),
    [
        (("a",), {}, True, "there is only one task"),
        (("a", "b"), {"b": {"loss_weight": 0}}, True, "only one task has a loss_weight above 0"),
        (("a", "b"), {}, False, "the tasks share no layer"),
    ],
)
@pytest.mark.parametrize("kind", ["uncertainty", "gradnorm", "pcgrad"])
def test_nothing_to_balance_is_noted(
    caplog: pytest.LogCaptureFixture, kind: str, tasks: tuple, changes: dict, shared: bool, reason: str
) -> None:
    rows = toy_rows(tasks=tasks)
    with caplog.at_level(logging.INFO, logger="janus.progress"):
        model = toy_model(toy_config(KINDS[kind], tasks, **changes), rows, shared)
    assert isinstance(model.balancing, Fixed)
    assert f"fixed instead of {kind}, because {reason}" in caplog.text
    model.train_step(batch_of(rows))


def test_fixed_needs_no_note(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="janus.progress"):
        toy_model(toy_config({}, ("a",)), toy_rows(tasks=("a",)))
    assert caplog.text == ""
