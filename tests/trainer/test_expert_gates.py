"""Gate utilisation: mean weights per task and expert over all validation rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.trunks.small import rows, small_network
from trainer.expert_gates import GateUtilisation, mean_weights, utilisation_name, utilisation_of, weight_sums


def validation(batch_size: int) -> tf.data.Dataset:
    nothing = {"a": np.zeros(50, np.float32)}
    return tf.data.Dataset.from_tensor_slices((rows(50), nothing, nothing)).batch(batch_size)


@pytest.mark.parametrize("batch_size", [50, 16])
@pytest.mark.parametrize("kind", ["mmoe", "cgc", "ple"])
def test_the_epochs_logs_hold_the_mean_of_all_rows(kind: str, batch_size: int) -> None:
    network = small_network(kind)
    logs = {"loss": 1.0}
    GateUtilisation(network, validation(batch_size)).on_epoch_end(0, logs)
    assert network.gates is not None
    weights = {gate: np.asarray(values, np.float64) for gate, values in network.gates(rows(50)).items()}
    expected = {
        utilisation_name(gate, expert): values[:, column].mean()
        for gate, values in weights.items()
        for column, expert in enumerate(network.experts[gate])
    }
    assert logs == pytest.approx({"loss": 1.0, **expected}, abs=1e-6)
    assert len(expected) == sum(map(len, network.experts.values()))
    for task in ("a", "b"):
        sums = {name.rpartition("/")[0]: 0.0 for name in utilisation_of(task, logs)}
        for name, value in utilisation_of(task, logs).items():
            sums[name.rpartition("/")[0]] += value
        assert sums == pytest.approx(dict.fromkeys(sums, 1.0), abs=1e-6)


def test_it_follows_the_weights() -> None:
    """The second epoch tells of the second epoch's weights."""
    network = small_network("mmoe")
    callback = GateUtilisation(network, validation(50))
    first: dict[str, float] = {}
    callback.on_epoch_end(0, first)
    network.model.get_layer("a.gate").kernel.assign(keras.ops.zeros((5, 3)))
    second: dict[str, float] = {}
    callback.on_epoch_end(1, second)
    assert utilisation_of("a", second) == pytest.approx(dict.fromkeys(("expert_0", "expert_1", "expert_2"), 1 / 3))
    assert utilisation_of("b", second) == utilisation_of("b", first)


def test_a_network_without_gates_adds_nothing() -> None:
    logs: dict[str, float] = {}
    GateUtilisation(small_network("shared_bottom"), validation(50)).on_epoch_end(0, logs)
    assert logs == {}


def test_names() -> None:
    assert utilisation_name("delay", "shared_0") == "val_delay_gate/shared_0"
    assert utilisation_name("delay/level_1", "shared_0") == "val_delay_gate/level_1/shared_0"
    logs = {
        "val_delay_loss": 1.0,
        "val_delay_gate/level_0/delay_0": 0.25,
        "val_delay_gate/level_1/delay_0": 0.5,
        "val_delay_gate_gate/delay_gate_0": 0.75,
    }
    assert utilisation_of("delay", logs) == {"level_0/delay_0": 0.25, "level_1/delay_0": 0.5}
    assert utilisation_of("delay_gate", logs) == {"delay_gate_0": 0.75}
    assert utilisation_of("late", logs) == {}


def test_exact_values() -> None:
    """One input, gates whose logits are ± x: softmax in closed form."""
    inputs = {"x": keras.Input((1,), name="x")}
    gate = keras.layers.Dense(2, use_bias=False, activation="softmax")
    model = keras.Model(inputs, {"a": gate(inputs["x"])})
    gate.kernel.assign([[1.0, -1.0]])
    batches = [{"x": tf.constant([[0.0], [1.0]])}, {"x": tf.constant([[2.0]])}]
    first = np.mean([1 / (1 + np.exp(-2 * x)) for x in (0.0, 1.0, 2.0)])
    assert mean_weights(weight_sums(model), {"a": ["p", "q"]}, batches) == pytest.approx(
        {"val_a_gate/p": first, "val_a_gate/q": 1 - first}, abs=1e-6
    )
