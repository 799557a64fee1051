"""A small multi-task model without Transform: a shared embedding and layer, one output per task."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.balancings import BALANCINGS, BalancedTask, Balancing
from trainer.config import TrainerConfig
from trainer.heads import heads_of
from trainer.heads.base import Head
from trainer.label_statistics import label_statistics
from trainer.multitask import MultiTaskModel
from trainer.network import Network

BATCH = 16
KINDS: dict[str, dict[str, Any]] = {
    "fixed": {"kind": "fixed"},
    "uncertainty": {"kind": "uncertainty"},
    "dwa": {"kind": "dwa"},
    "gradnorm": {"kind": "gradnorm", "alpha": 0.5},
    "pcgrad": {"kind": "pcgrad"},
    "cagrad": {"kind": "cagrad"},
    "famo": {"kind": "famo"},
    "famo_same_batch": {"kind": "famo", "same_batch": True},
}
"""A configuration of every kind."""

Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]


def toy_config(balancing: Mapping[str, Any], tasks: Sequence[str] = ("a", "b", "c"), **changes: Any) -> TrainerConfig:
    """Regression tasks; `changes` go to the task of that name."""
    return TrainerConfig.model_validate(
        {
            "seed": 5,
            "features": {"x": {"kind": "numeric"}},
            "tasks": {
                name: {"kind": "regression", "label": name, "loss": "mse", **changes.get(name, {})} for name in tasks
            },
            "model": {"balancing": balancing},
            "training": {"epochs": 4, "learning_rate": 0.01, "early_stopping": None},
        }
    )


def toy_balancing(balancing: Mapping[str, Any], tasks: Sequence[str] = ("a", "b", "c"), **changes: Any) -> Balancing:
    """The balancing alone; each task's trivial loss is 1 unless `trivial` says otherwise."""
    trivial = changes.pop("trivial", [1.0] * len(tasks))
    config = toy_config(balancing, tasks, **changes)
    settings = config.model.balancing
    balanced = [
        BalancedTask(name, task, loss) for (name, task), loss in zip(config.tasks.items(), trivial, strict=True)
    ]
    return BALANCINGS[settings.kind](settings, balanced, config.seed)


def toy_rows(rows: int = 8 * BATCH, seed: int = 0, tasks: Sequence[str] = ("a", "b", "c")) -> Batch:
    """Learnable labels, a tenth of them missing; the last task has none in the second batch."""
    rng = np.random.default_rng(seed)
    x, category = rng.normal(size=(rows, 3)).astype(np.float32), rng.integers(0, 5, (rows, 1))
    labels, weights = {}, {}
    for index, name in enumerate(tasks):
        noise = 0.1 * rng.normal(size=rows)
        labels[name] = (np.tanh(x @ rng.normal(size=3)) * 10.0**index + category[:, 0] + noise).astype(np.float32)
        weights[name] = (rng.random(rows) > 0.1).astype(np.float32)
    weights[tasks[-1]][BATCH : 2 * BATCH] = 0
    return {"x": x, "category": category}, labels, weights


def toy_heads(config: TrainerConfig, rows: Batch) -> dict[str, Head]:
    """Heads on the labels of the rows."""
    _, labels, weights = rows
    statistics = {name: label_statistics(name, name, labels[name], weights[name], 0) for name in config.tasks}
    return heads_of(config.tasks, statistics)


def toy_network(heads: Mapping[str, Head], shared: bool = True, seed: int = 1) -> Network:
    """An embedding and a dense layer, for all tasks or for each."""
    keras.utils.set_random_seed(seed)
    inputs = {
        "x": keras.Input((3,), name="x"),
        "category": keras.Input((1,), dtype="int64", name="category"),
    }

    def bottom(prefix: str) -> tuple[Any, Any]:
        embedded = keras.layers.Reshape((2,))(
            keras.layers.Embedding(5, 2, name=f"{prefix}embedding")(inputs["category"])
        )
        dense = keras.layers.Dense(4, activation="tanh", name=f"{prefix}trunk")
        return dense(keras.layers.Concatenate()([inputs["x"], embedded])), dense

    hidden, dense = bottom("")
    outputs: dict[str, Any] = {}
    for name, head in heads.items():
        outputs[name] = head.build(hidden if shared else bottom(f"{name}_")[0], outputs)
    return Network(
        model=keras.Model(inputs, outputs, name="network"),
        gates=None,
        experts={},
        last_shared=[dense] if shared else [],
    )


def toy_model(
    config: TrainerConfig, rows: Batch, shared: bool = True, optimizer: Any = None, **compile_options: Any
) -> MultiTaskModel:
    """Ready to train."""
    heads = toy_heads(config, rows)
    model = MultiTaskModel(toy_network(heads, shared), heads, config)
    optimizer = optimizer or keras.optimizers.Adam(config.training.learning_rate)
    model.compile(optimizer=optimizer, **compile_options)
    model.optimizer.build(model.network.trainable_variables)
    return model


def toy_dataset(rows: Batch, batch: int = BATCH) -> tf.data.Dataset:
    """Batches in order."""
    return tf.data.Dataset.from_tensor_slices(rows).batch(batch)
