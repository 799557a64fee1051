"""With two replicas training is what it is with one: gradients are added up before they are balanced."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.very_slow]

KINDS = ["uncertainty", "gradnorm", "pcgrad", "cagrad", "famo"]
SCRIPT = """
import json
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.trainer.balancings.toy import KINDS, toy_config, toy_dataset, toy_model, toy_rows

def train(kind, strategy):
    rows = toy_rows()
    with strategy.scope():
        model = toy_model(toy_config(KINDS[kind]), rows)
    data = toy_dataset(rows)
    history = model.fit(data, epochs=2, verbose=0, shuffle=False, validation_data=data).history
    # Of a mirrored variable, each replica's copy.
    state = [variable.value for variable in model.balancing.variables]
    copies = [[copy.numpy().tolist() for copy in getattr(v, "values", [v])] for v in state]
    return {"history": {name: [float(v) for v in values] for name, values in history.items()}, "state": copies}

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert mirrored.num_replicas_in_sync == 2
for kind in sys.argv[1:]:
    both = {name: train(kind, s) for name, s in (("one", tf.distribute.get_strategy()), ("two", mirrored))}
    print("RESULT", json.dumps([kind, both]))
"""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict]:
    """Kind → histories and states with one replica and with two; in a process that has two virtual devices."""
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, *KINDS], env=environment, capture_output=True, text=True, timeout=800
    )
    assert result.returncode == 0, result.stderr[-3000:]
    lines = [line.removeprefix("RESULT ") for line in result.stdout.splitlines() if line.startswith("RESULT ")]
    return dict(json.loads(line) for line in lines)


@pytest.mark.parametrize("kind", KINDS)
def test_two_replicas_train_as_one(outcomes: dict[str, dict], kind: str) -> None:
    one, two = outcomes[kind]["one"], outcomes[kind]["two"]
    assert set(one["history"]) == set(two["history"])
    for name, values in one["history"].items():
        np.testing.assert_allclose(two["history"][name], values, rtol=1e-3, atol=1e-4, err_msg=name)
    for alone, copies in zip(one["state"], two["state"], strict=True):
        assert len(alone) == 1
        assert len(copies) == 2
        np.testing.assert_array_equal(copies[0], copies[1])
        np.testing.assert_allclose(copies[0], alone[0], rtol=2e-3, atol=1e-3)
