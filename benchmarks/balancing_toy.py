"""Two tasks whose losses differ 1000-fold, under each balancing: `python -m benchmarks.balancing_toy`.

Both tasks are regressions by squared error, on functions of different inputs, through one narrow shared layer. One
label is √1000 times as large as the other, as metres are beside tens of metres, and the loss is taken in the label's
own unit. Janus's heads would standardise it; the heads used here undo that in the loss, and in it alone, so that what
is compared is the balancing. (A `loss_weight` of 1000 would not do: it is a prior, which no balancing may undo.)

For reference: `tuned` is fixed weights of 1000 and 1. `… from equal weights` starts as the papers do, at weights of 1,
where Janus starts uncertainty and gradnorm from the loss of the best constant prediction.

Shown is each task's loss on held-out rows as a share of that of the best constant, mean ± standard error over the
seeds, which change data, functions and network; labels hold 1 % of noise. Writes the same as JSON.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import environment

HERE = Path(__file__).parent
INPUTS, ROWS, TEST_ROWS, BATCH, EPOCHS, UNITS = 20, 4096, 4096, 128, 40, 4
SCALES = {"small": 1.0, "large": math.sqrt(1000.0)}
STARVED = 0.1
"""A task counts as starved that is left with more than this share of the constant's loss."""


@dataclass(frozen=True)
class Method:
    """A balancing's configuration, `loss_weight`s other than 1, and whether all weights start at 1."""

    balancing: Mapping[str, Any]
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    from_equal_weights: bool = False


def main() -> None:
    """Trains with each balancing and each seed, prints the table, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="repetitions (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=HERE / "balancing_toy.json")
    arguments = parser.parse_args()
    environment.prepare()
    started = time.monotonic()
    results = {}
    for name, method in _methods().items():
        losses = [_train(method, seed) for seed in range(arguments.seeds)]
        results[name] = {task: _summary([seed[task] for seed in losses]) for task in SCALES}
    _print(results, arguments.seeds)
    seconds = round(time.monotonic() - started, 1)
    print(f"{seconds} s")
    document = {"seeds": arguments.seeds, "seconds": seconds, "relative_loss": results}
    arguments.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _methods() -> dict[str, Method]:
    from trainer.balancings import BALANCINGS

    methods = {kind: Method({"kind": kind}) for kind in BALANCINGS}
    methods["famo, same_batch"] = Method({"kind": "famo", "same_batch": True})
    methods["tuned"] = Method({"kind": "fixed"}, {"small": 1000.0})
    for kind in ("uncertainty", "gradnorm"):
        methods[f"{kind} from equal weights"] = Method({"kind": kind}, from_equal_weights=True)
    return methods


def _train(method: Method, seed: int) -> dict[str, float]:
    """Each task's loss on held-out rows relative to that of the best constant."""
    import keras
    import numpy as np
    import tensorflow as tf

    from benchmarks.stand_in import StandInTransform
    from trainer.config import TrainerConfig
    from trainer.heads.regression import RegressionHead
    from trainer.label_statistics import label_statistics
    from trainer.run import make_model

    class OwnUnitHead(RegressionHead):
        """Its loss is in the label's own unit, squared; its raw output is standardised as ever."""

        def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
            return super().row_losses(labels, raw) * self.statistics.deviation**2

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tasks = {
        task: {"kind": "regression", "label": task, "loss": "mse", "loss_weight": method.loss_weights.get(task, 1.0)}
        for task in SCALES
    }
    trunk = {"kind": "shared_bottom", "units": [UNITS], "activation": "tanh"}
    config = TrainerConfig.model_validate(
        {
            "seed": seed,
            "features": {"x": {"kind": "vector", "length": INPUTS}},
            "tasks": tasks,
            "model": {"trunk": trunk, "towers": {"default": []}, "balancing": method.balancing},
            "training": {"learning_rate": 0.005, "batch_size": BATCH, "steps_per_execution": ROWS // BATCH},
        }
    )
    x, labels = _data(seed)
    weights = np.ones(len(x), np.float32)
    heads = {
        task: OwnUnitHead(task, config.tasks[task], label_statistics(task, task, labels[task], weights, 0))
        for task in SCALES
    }
    transform = StandInTransform({"x": tf.io.FixedLenFeature([INPUTS], tf.float32)}, {})
    model = make_model(config, transform, heads)  # type: ignore[arg-type]
    if method.from_equal_weights:
        # uncertainty's a·exp(-s) is 1 with a = 1/2, gradnorm's is the weight itself.
        start = {"uncertainty": -math.log(2), "gradnorm": 1.0}[method.balancing["kind"]]
        model.balancing.variables[0].assign([start] * len(SCALES))
    train = ({"x": x[:ROWS]}, {t: labels[t][:ROWS] for t in SCALES}, dict.fromkeys(SCALES, weights[:ROWS]))
    batches = tf.data.Dataset.from_tensor_slices(train).cache().shuffle(ROWS, seed=seed).batch(BATCH)
    model.fit(batches, epochs=EPOCHS, verbose=0, shuffle=False)
    raw = model.network({"x": x[ROWS:]})
    losses = {task: float(np.mean(heads[task].row_losses(labels[task][ROWS:], raw[task]))) for task in SCALES}
    return {task: losses[task] / float(np.var(labels[task][ROWS:])) for task in SCALES}


def _data(seed: int) -> tuple[Any, dict[str, Any]]:
    """Inputs [rows, INPUTS], and each task's label: the difference of two tanh units on its own half of the inputs."""
    import numpy as np

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS + TEST_ROWS, INPUTS)).astype(np.float32)
    width = INPUTS // 2
    labels = {}
    for index, (task, scale) in enumerate(SCALES.items()):
        own = x[:, index * width : (index + 1) * width]
        signal = np.tanh(own @ rng.normal(size=(width, 2)) * 1.5 / math.sqrt(width)) @ [1.0, -0.7]
        signal = (signal - signal.mean()) / signal.std() + 0.1 * rng.normal(size=len(x))
        labels[task] = (scale * signal).astype(np.float32)
    return x, labels


def _summary(values: list[float]) -> dict[str, float]:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return {"mean": round(statistics.mean(values), 4), "standard_error": round(error, 4)}


def _print(results: Mapping[str, Mapping[str, Mapping[str, float]]], seeds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"loss relative to the best constant's, {seeds} seeds"
    table = Table("balancing", *(f"{task} task" for task in SCALES), "starved", title=title)
    for name, tasks in results.items():
        cells = [f"{values['mean']:.3f} ± {values['standard_error']:.3f}" for values in tasks.values()]
        starved = [task for task, values in tasks.items() if values["mean"] > STARVED]
        table.add_row(name, *cells, ", ".join(starved))
    Console().print(table)


if __name__ == "__main__":
    main()
