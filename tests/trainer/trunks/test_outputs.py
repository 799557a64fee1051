"""Each trunk's outputs, derived again in numpy from its weights and the papers' equations."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from tests.trainer.trunks.small import rows, small_network, weights
from trainer.network import Network

TASKS = ("a", "b", "c")
Array: TypeAlias = np.ndarray


def dense(network: Network, layer: str, values: Array) -> Array:
    kernel, bias = weights(network, layer)
    return values @ kernel + bias


def encoded(network: Network, prefix: str = "") -> Array:
    return dense(network, f"{prefix}encoder", rows()["x"].astype(np.float64))


def stack(network: Network, prefix: str, values: Array) -> Array:
    for depth in (0, 1):
        values = np.tanh(dense(network, f"{prefix}trunk_{depth}", values))
    return values


def expert(network: Network, prefix: str, index: int, values: Array, depths: tuple[int, ...] = (0, 1)) -> Array:
    for depth in depths:
        kernel, bias = weights(network, f"{prefix}experts_{depth}")
        values = np.tanh(values @ kernel[index] + bias[index, 0])
    return values


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def mixture(network: Network, prefix: str, selector: Array, experts: list[Array]) -> Array:
    (kernel,) = weights(network, f"{prefix}gate")
    gate = softmax(selector @ kernel)
    return np.stack([sum(gate[row, i] * e[row] for i, e in enumerate(experts)) for row in range(len(selector))])


def shared_bottom(network: Network) -> dict[str, Array]:
    return dict.fromkeys(TASKS, stack(network, "", encoded(network)))


def none(network: Network) -> dict[str, Array]:
    return {task: stack(network, f"{task}.", encoded(network, f"{task}.")) for task in TASKS}


def mmoe(network: Network) -> dict[str, Array]:
    x = encoded(network)
    experts = [expert(network, "", index, x) for index in range(3)]
    return {task: mixture(network, f"{task}.", x, experts) for task in TASKS}


def cgc(network: Network) -> dict[str, Array]:
    x = encoded(network)
    shared = [expert(network, "shared.", 0, x)]
    own = {task: [expert(network, f"{task}.", index, x) for index in (0, 1)] for task in TASKS}
    return {task: mixture(network, f"{task}.", x, own[task] + shared) for task in TASKS}


def ple(network: Network) -> dict[str, Array]:
    x = encoded(network)
    shared = [expert(network, "shared.level_0_", 0, x)]
    own = {task: [expert(network, f"{task}.level_0_", index, x) for index in (0, 1)] for task in TASKS}
    below = {task: mixture(network, f"{task}.level_0_", x, own[task] + shared) for task in TASKS}
    every = [e for task in TASKS for e in own[task]] + shared
    below_shared = mixture(network, "shared.level_0_", x, every)
    shared = [expert(network, "shared.level_1_", 0, below_shared)]
    own = {task: [expert(network, f"{task}.level_1_", index, below[task]) for index in (0, 1)] for task in TASKS}
    return {task: mixture(network, f"{task}.level_1_", below[task], own[task] + shared) for task in TASKS}


def cross_stitch(network: Network) -> dict[str, Array]:
    x = encoded(network)
    hidden = [expert(network, "stitched_", index, x, (0,)) for index in range(3)]
    (alpha,) = weights(network, "stitch_0")
    hidden = [sum(alpha[to, of] * hidden[of] for of in range(3)) for to in range(3)]
    hidden = [expert(network, "stitched_", index, hidden[index], (1,)) for index in range(3)]
    last = {task: weights(network, f"{task}.stitch")[0] for task in TASKS}
    return {task: sum(last[task][of] * hidden[of] for of in range(3)) for task in TASKS}


@pytest.mark.parametrize("derive", [shared_bottom, none, mmoe, cgc, ple, cross_stitch], ids=lambda f: f.__name__)
def test_outputs_are_the_equations(derive: Callable[[Network], dict[str, Array]]) -> None:
    network = small_network(derive.__name__, TASKS)
    outputs = network.model(rows(), training=False)
    assert set(outputs) == set(TASKS)
    for task, hidden in derive(network).items():
        np.testing.assert_allclose(outputs[task], dense(network, f"{task}_head", hidden), atol=1e-5, rtol=1e-5)
    assert not np.allclose(outputs["a"], outputs["b"], atol=1e-2)
