"""Two tasks whose losses differ 1000-fold, under each balancing: `python -m benchmarks.balancing_toy`.

Both tasks are regressions by squared error on functions of different inputs, through one narrow shared layer. The
second label is √1000 times as large, as if one were in kilometres and the other in metres. Janus's heads would
standardise the labels, so here they are given statistics under which that is the identity: what is compared is the
balancing alone. (A `loss_weight` of 1000 would not do: it is a prior, which no balancing is meant to undo.)

Two references: `tuned`, which is fixed weights of 1000 and 1, and `alone`, each task with a network to itself.

Shown is each task's loss on held-out rows, as a share of the loss of the best constant: mean ± standard error over
the seeds, which change data, functions and network. Writes the same as JSON.
"""

import argparse
import dataclasses
import json
import math
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import environment

HERE = Path(__file__).parent
INPUTS, ROWS, TEST_ROWS, BATCH, EPOCHS, UNITS = 20, 4096, 4096, 128, 40, 8
SCALES = {"small": 1.0, "large": math.sqrt(1000.0)}
STARVED = 1.5
"""A task counts as starved where its loss is more than this many times that of the tuned weights."""


def main() -> None:
    """Trains each balancing with each seed, prints the table, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="repetitions (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=HERE / "balancing_toy.json")
    arguments = parser.parse_args()
    environment.prepare()
    started = time.monotonic()
    losses = {name: [_losses(name, seed) for seed in range(arguments.seeds)] for name in _methods()}
    results = {
        name: {task: _summary([seed[task] for seed in found]) for task in SCALES} for name, found in losses.items()
    }
    for tasks in results.values():
        for task, values in tasks.items():
            values["starved"] = values["mean"] > STARVED * results["tuned"][task]["mean"]
    _print(results, arguments.seeds)
    seconds = round(time.monotonic() - started, 1)
    print(f"{seconds} s")
    document = {"seeds": arguments.seeds, "seconds": seconds, "relative_loss": results}
    arguments.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _methods() -> dict[str, tuple[dict[str, Any], dict[str, float]]]:
    """Name → the balancing's configuration, and loss weights other than 1."""
    from trainer.balancings import BALANCINGS

    methods: dict[str, tuple[dict[str, Any], dict[str, float]]] = {kind: ({"kind": kind}, {}) for kind in BALANCINGS}
    methods["famo, same_batch"] = {"kind": "famo", "same_batch": True}, {}
    methods["tuned"] = {"kind": "fixed"}, {"small": 1000.0}
    methods["alone"] = {"kind": "fixed"}, {}
    return methods


def _losses(method: str, seed: int) -> dict[str, float]:
    balancing, weights = _methods()[method]
    if method == "alone":
        return {task: _train(balancing, {task: 1.0}, seed)[task] for task in SCALES}
    return _train(balancing, {task: weights.get(task, 1.0) for task in SCALES}, seed)


def _train(balancing: Mapping[str, Any], loss_weights: Mapping[str, float], seed: int) -> dict[str, float]:
    """Each task's loss on held-out rows relative to that of the best constant."""
    import keras
    import numpy as np
    import tensorflow as tf

    from benchmarks.stand_in import StandInTransform
    from trainer.config import TrainerConfig
    from trainer.heads import make_head
    from trainer.label_statistics import label_statistics
    from trainer.run import make_model

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    config = TrainerConfig.model_validate(
        {
            "seed": seed,
            "features": {"x": {"kind": "vector", "length": INPUTS}},
            "tasks": {
                task: {"kind": "regression", "label": task, "loss": "mse", "loss_weight": weight}
                for task, weight in loss_weights.items()
            },
            "model": {
                "trunk": {"units": [UNITS], "activation": "tanh"},
                "towers": {"default": []},
                "balancing": balancing,
            },
            "training": {"learning_rate": 0.005, "batch_size": BATCH, "steps_per_execution": ROWS // BATCH},
        }
    )
    x, labels = _data(seed)
    weights = np.ones(len(x), np.float32)
    heads = {}
    for task in loss_weights:
        found = label_statistics(task, task, labels[task][:ROWS], weights[:ROWS], 0)
        raw = dataclasses.replace(found, mean=0.0, deviation=1.0)
        heads[task] = make_head(task, config.tasks[task], raw)
    model = make_model(config, StandInTransform({"x": tf.io.FixedLenFeature([INPUTS], tf.float32)}, {}), heads)  # type: ignore[arg-type]
    rows = ({"x": x}, {task: labels[task] for task in loss_weights}, dict.fromkeys(loss_weights, weights))
    train, test = (
        tf.nest.map_structure(lambda v, part=part: v[part], rows) for part in (slice(ROWS), slice(ROWS, None))
    )
    batches = tf.data.Dataset.from_tensor_slices(train).shuffle(ROWS, seed=seed).batch(BATCH)
    model.fit(batches, epochs=EPOCHS, verbose=0, shuffle=False)
    logs = model.evaluate(tf.data.Dataset.from_tensor_slices(test).batch(TEST_ROWS), verbose=0, return_dict=True)
    return {task: float(logs[f"{task}_loss"]) / float(np.var(labels[task][ROWS:])) for task in loss_weights}


def _data(seed: int) -> tuple[Any, dict[str, Any]]:
    """Inputs [rows, INPUTS] and each task's label: tanh of projections of its own half of the inputs, added up."""
    import numpy as np

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS + TEST_ROWS, INPUTS)).astype(np.float32)
    labels = {}
    for index, (task, scale) in enumerate(SCALES.items()):
        half = x[:, index * INPUTS // 2 : (index + 1) * INPUTS // 2]
        hidden = np.tanh(half @ rng.normal(size=(INPUTS // 2, 3)))
        signal = hidden @ rng.uniform(0.5, 1.0, 3)
        signal = (signal - signal.mean()) / signal.std() + 0.1 * rng.normal(size=len(x))
        labels[task] = (scale * signal).astype(np.float32)
    return x, labels


def _summary(values: list[float]) -> dict[str, float]:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return {"mean": round(statistics.mean(values), 4), "standard_error": round(error, 4)}


def _print(results: Mapping[str, Mapping[str, Mapping[str, float]]], seeds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "balancing", *(f"{task} task" for task in SCALES), "starved", title=f"loss / constant's, {seeds} seeds"
    )
    for name, tasks in results.items():
        cells = [f"{values['mean']:.3f} ± {values['standard_error']:.3f}" for values in tasks.values()]
        table.add_row(name, *cells, ", ".join(task for task, values in tasks.items() if values["starved"]) or "none")
    Console().print(table)


if __name__ == "__main__":
    main()
