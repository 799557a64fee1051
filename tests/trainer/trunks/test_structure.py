"""What each trunk shares, how large it is, how it begins, and what its gates look like."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.trunks.small import EVERY_KIND, layers_of, rows, small_network
from trainer.config import ModelConfig
from trainer.config.size import trunk_size
from trainer.trunks import TRUNKS
from trainer.trunks.cross_stitch import initial_alpha

KINDS = list(EVERY_KIND)


def test_every_kind_of_the_configuration_is_built_here() -> None:
    schema = ModelConfig.model_json_schema()["properties"]["trunk"]["discriminator"]["mapping"]
    assert set(schema) == set(TRUNKS) == set(KINDS)


# Encoder 3 → 5, layers 5 → 4 → 2, two tasks, heads 2 → 1: 20 and 2 · 3 parameters, 24 + 10 for a stack of layers.
@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("shared_bottom", 20 + 34 + 6),
        ("none", 2 * 20 + 2 * 34 + 6),
        # 3 experts; 2 gates 5 → 3.
        ("mmoe", 20 + 3 * 34 + 2 * 15 + 6),
        # 1 shared and 2 · 2 own experts; 2 gates 5 → 3.
        ("cgc", 20 + 5 * 34 + 2 * 15 + 6),
        # As cgc with a shared gate 5 → 5; above, 5 experts 2 → 4 → 2 (12 + 10) and 2 gates 2 → 3.
        ("ple", 20 + 5 * 34 + 2 * 15 + 25 + 5 * 22 + 2 * 6 + 6),
        # 2 stacks; 2 · 2 weights after each of 2 layers.
        ("cross_stitch", 20 + 2 * 34 + 2 * 4 + 6),
    ],
)
def test_parameters(kind: str, parameters: int) -> None:
    assert small_network(kind).model.count_params() == parameters


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_known_from_the_configuration(kind: str, levels: int) -> None:
    keys = {"levels": levels} if kind == "ple" else {}
    network = small_network(kind, ("a", "b", "c"), **keys)
    config = ModelConfig.model_validate({"trunk": {"kind": kind, "units": [4, 2], **EVERY_KIND[kind], **keys}})
    encoders = 20 * (3 if kind == "none" else 1)
    parameters, _ = trunk_size(config.trunk, 5, 3)
    assert network.model.count_params() == encoders + parameters + 3 * 3


@pytest.mark.parametrize(
    ("kind", "shared", "last"),
    [
        ("shared_bottom", {"encoder", "trunk_0", "trunk_1"}, ["trunk_1"]),
        ("none", set(), []),
        ("mmoe", {"encoder", "experts_0", "experts_1"}, ["experts_1"]),
        ("cgc", {"encoder", "shared.experts_0", "shared.experts_1"}, ["shared.experts_1"]),
        (
            "ple",
            # The shared gate of a level makes all its experts shared, but not what the tasks' own gates select.
            {"encoder", "shared.level_0_gate"}
            | {f"{owner}.level_0_experts_{depth}" for owner in ("a", "b", "shared") for depth in (0, 1)}
            | {"shared.level_1_experts_0", "shared.level_1_experts_1"},
            ["shared.level_1_experts_1"],
        ),
        (
            "cross_stitch",
            {"encoder", "stitched_experts_0", "stitch_0", "stitched_experts_1"},
            ["stitched_experts_1"],
        ),
    ],
)
def test_what_is_shared(kind: str, shared: set[str], last: list[str]) -> None:
    network = small_network(kind)
    variables = network.shared_variables
    assert layers_of(network, variables) == shared
    assert len(variables) == sum(len(network.model.get_layer(name).trainable_variables) for name in shared)
    order = [id(variable) for variable in network.model.trainable_variables]
    positions = [order.index(id(variable)) for variable in variables]
    assert positions == sorted(positions)
    assert [layer.name for layer in network.last_shared] == last
    assert {id(v) for layer in network.last_shared for v in layer.trainable_variables} <= {id(v) for v in variables}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_what_the_graph_says(kind: str) -> None:
    """A variable is shared if two tasks have a gradient in it."""
    network = small_network(kind)
    variables = network.model.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        outputs = network.model(rows(), training=True)
        sums = {task: tf.reduce_sum(values) for task, values in outputs.items()}
    reached = [
        sum(tape.gradient(total, variable) is not None for total in sums.values())
        for variable in (v.value for v in variables)
    ]
    assert min(reached) > 0
    shared = {id(variable) for variable in network.shared_variables}
    assert [count > 1 for count in reached] == [id(variable) in shared for variable in variables]


@pytest.mark.parametrize("kind", KINDS)
def test_one_task_alone_shares_nothing(kind: str) -> None:
    network = small_network(kind, ("a",))
    assert network.shared_variables == []
    assert network.model(rows())["a"].shape == (6, 1)


@pytest.mark.parametrize(
    ("kind", "experts"),
    [
        ("mmoe", {task: ["expert_0", "expert_1", "expert_2"] for task in "ab"}),
        ("cgc", {"a": ["a_0", "a_1", "shared_0"], "b": ["b_0", "b_1", "shared_0"]}),
        (
            "ple",
            {
                "a/level_0": ["a_0", "a_1", "shared_0"],
                "b/level_0": ["b_0", "b_1", "shared_0"],
                "shared/level_0": ["a_0", "a_1", "b_0", "b_1", "shared_0"],
                "a/level_1": ["a_0", "a_1", "shared_0"],
                "b/level_1": ["b_0", "b_1", "shared_0"],
            },
        ),
    ],
)
def test_gates(kind: str, experts: dict[str, list[str]]) -> None:
    network = small_network(kind)
    assert network.experts == experts
    assert network.gates is not None
    gates = network.gates(rows())
    assert {key: values.shape.as_list() for key, values in gates.items()} == {
        key: [6, len(names)] for key, names in experts.items()
    }
    for values in gates.values():
        np.testing.assert_allclose(np.sum(values, axis=1), 1, atol=1e-6)
        assert np.ptp(values, axis=0).max() > 0.01


@pytest.mark.parametrize("kind", ["shared_bottom", "cross_stitch", "none"])
def test_no_gates(kind: str) -> None:
    network = small_network(kind)
    assert network.gates is None
    assert network.experts == {}


@pytest.mark.parametrize(
    ("changed", "moved"), [("a.experts_0", {"a"}), ("b.experts_1", {"b"}), ("shared.experts_0", {"a", "b"})]
)
def test_a_cgc_task_sees_its_own_and_the_shared_experts_only(changed: str, moved: set[str]) -> None:
    network = small_network("cgc")
    before = network.model(rows())
    kernel = network.model.get_layer(changed).kernel
    kernel.assign(kernel + 1.0)
    after = network.model(rows())
    assert {task for task in "ab" if not np.array_equal(before[task], after[task])} == moved


def test_ple_of_one_level_is_cgc() -> None:
    one, other = small_network("cgc"), small_network("ple", levels=1)
    assert [v.shape for v in one.model.variables] == [v.shape for v in other.model.variables]
    other.model.set_weights(one.model.get_weights())
    for task, values in one.model(rows()).items():
        np.testing.assert_array_equal(values, other.model(rows())[task])


def test_each_expert_begins_as_a_dense_layer_of_its_own() -> None:
    """Glorot's uniform: ± √(6 / (in + out)) by the expert's own sizes, not by all kernels' size together."""
    keras.utils.set_random_seed(3)
    config = ModelConfig.model_validate({"trunk": {"kind": "mmoe", "units": [200], "experts": 6}}).trunk
    trunk = TRUNKS["mmoe"](config, lambda prefix: keras.Input((100,)), ["a", "b"])
    kernel = trunk.last_shared[0].kernel.numpy()
    limit = math.sqrt(6 / 300)
    assert kernel.shape == (6, 100, 200)
    assert np.abs(kernel).max() == pytest.approx(limit, rel=1e-3)
    assert kernel.std(axis=(1, 2)) == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert not np.array_equal(kernel[0], kernel[1])


def test_cross_stitch_begins_convex() -> None:
    np.testing.assert_allclose(initial_alpha(0.9, 2), [[0.9, 0.1], [0.1, 0.9]])
    np.testing.assert_allclose(initial_alpha(0.8, 3), [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], atol=1e-7)
    np.testing.assert_allclose(initial_alpha(0.9, 1), [[1.0]])
    config = ModelConfig.model_validate({"trunk": {"kind": "cross_stitch", "units": [4, 2]}}).trunk
    inputs = keras.Input((3,))
    model = keras.Model(inputs, TRUNKS["cross_stitch"](config, lambda prefix: inputs, ["a", "b"]).towers)
    np.testing.assert_allclose(model.get_layer("stitch_0").alpha, [[0.9, 0.1], [0.1, 0.9]])
    np.testing.assert_allclose(model.get_layer("b.stitch").alpha, [0.1, 0.9])


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_follows_every_layer_and_only_in_training(kind: str) -> None:
    network = small_network(kind, dropout=0.5)
    dropped = [layer for layer in network.model.layers if isinstance(layer, keras.layers.Dropout)]
    plain = [layer for layer in network.model.layers if "experts_" in layer.name or "trunk_" in layer.name]
    assert 2 * len(dropped) == len(plain)
    assert len(dropped) > 0
    first, second = (network.model(rows(), training=False)["a"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    first, second = (network.model(rows(50), training=True)["a"] for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_leaves_gates_and_variables_in_float32(kind: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = small_network(kind)
    finally:
        keras.config.set_dtype_policy(before)
    full = small_network(kind)
    assert {v.dtype for v in half.model.variables} == {"float32"}
    for task, values in full.model(rows()).items():
        np.testing.assert_allclose(half.model(rows())[task], values, atol=0.2, rtol=0.1)
    if half.gates is not None:
        for values in half.gates(rows()).values():
            assert values.dtype == tf.float32
            np.testing.assert_allclose(np.sum(values, axis=1), 1, atol=1e-6)
