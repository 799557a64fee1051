"""What a training step costs under each balancing and each trunk: `python -m benchmarks.step_cost`.

Each balancing with shared_bottom, and each trunk, encoding and 4 members with fixed, on made-up data of the shape of
the flights' (configs/flights.yaml: 25 features, 2 tasks, batches of 512, 32 steps per call). All are measured in turn,
round by round, and each time is divided by that of shared_bottom with fixed in the same round, so that other work of
the machine affects both. Batches lie ready in memory: preparing them, which costs the same for all, is left out, so the
ratios of a whole training are lower than these.

Prints median and range of the ratios, with the target of each, and writes JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipeline import environment

HERE = Path(__file__).parent
CONFIG = "configs/flights.yaml"
BASELINE = "shared_bottom + fixed"
CALLS = 8
"""Calls of the compiled function, of `steps_per_execution` steps each, that one time is taken of."""
VOCABULARIES = {"day_of_week": 7, "carrier": 16, "origin": 3, "dest": 105}
TASKS = 2
TARGETS = {
    "uncertainty": 1.15,
    "dwa": 1.15,
    "famo": 1.15,
    "gradnorm": 1.6,
    "pcgrad": (1 + TASKS) * 1.1,
    "cagrad": (1 + TASKS) * 1.1,
}


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds (default: %(default)s)")
    parser.add_argument("--only", nargs="*", help="names of balancings and trunks; all by default")
    parser.add_argument("--output", type=Path, default=HERE / "step_cost.json")
    arguments = parser.parse_args()
    environment.prepare()
    document = measure(arguments.rounds, arguments.only)
    _print(document)
    arguments.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def measure(rounds: int, only: list[str] | None = None) -> dict[str, Any]:
    """The baseline's milliseconds per step, and each variant's ratio to it."""
    runs = {name: _compiled(variant) for name, variant in _variants(only).items()}
    for run in runs.values():
        run()
    ratios: dict[str, list[float]] = {name: [] for name in runs if name != BASELINE}
    baseline = []
    for number in range(rounds):
        # In another order each time, and the baseline before and after, against drift within a round.
        names = list(ratios)
        names = names[number % max(len(names), 1) :] + names[: number % max(len(names), 1)]
        first = runs[BASELINE]()
        times = {name: runs[name]() for name in names}
        reference = (first + runs[BASELINE]()) / 2
        baseline.append(reference)
        for name, seconds in times.items():
            ratios[name].append(seconds / reference)
    return {
        "baseline": BASELINE,
        "milliseconds": round(1000 * statistics.median(baseline), 3),
        "rounds": rounds,
        "ratios": {
            name: {"median": round(statistics.median(v), 3), "min": round(min(v), 3), "max": round(max(v), 3)}
            for name, v in ratios.items()
        },
        "targets": TARGETS,
    }


def _variants(only: list[str] | None) -> dict[str, dict[str, Any]]:
    """Name → keys of `model`."""
    from trainer.balancings import BALANCINGS
    from trainer.trunks import TRUNKS

    trunk = {"kind": "shared_bottom", "units": [128, 64], "dropout": 0.1}
    variants: dict[str, dict[str, Any]] = {BASELINE: {"trunk": trunk}}
    for kind in BALANCINGS:
        if kind != "fixed":
            variants[kind] = {"trunk": trunk, "balancing": {"kind": kind}}
    variants["famo, same_batch"] = {"trunk": trunk, "balancing": {"kind": "famo", "same_batch": True}}
    for kind in TRUNKS:
        if kind != "shared_bottom":
            variants[kind] = {"trunk": {"kind": kind, "dropout": 0.1}}
    variants["piecewise_linear"] = {"trunk": trunk, "encoding": "piecewise_linear"}
    variants["4 members"] = {"trunk": trunk, "members": 4}
    variants["4 members, piecewise_linear"] = {"trunk": trunk, "encoding": "piecewise_linear", "members": 4}
    return {name: variant for name, variant in variants.items() if not only or name in (BASELINE, *only)}


def _compiled(keys: Mapping[str, Any]) -> Callable[[], float]:
    """A function that trains CALLS times `steps_per_execution` steps and returns the seconds of one step."""
    import numpy as np
    import tensorflow as tf

    from benchmarks.stand_in import StandInTransform, random_columns
    from pipeline.config.file import load_config
    from trainer.config import TrainerConfig
    from trainer.heads import make_head
    from trainer.label_statistics import label_statistics
    from trainer.run import make_model

    raw = load_config(CONFIG).trainer_config().model_dump(mode="json")
    raw["model"].update({"balancing": {"kind": "fixed"}, **keys})
    config = TrainerConfig.model_validate(raw)
    batch, steps = config.training.batch_size, config.training.steps_per_execution
    transform = StandInTransform(_spec(config), VOCABULARIES)
    rng = np.random.default_rng(1)
    rows = batch * steps
    columns = random_columns(transform, rows, seed=1)
    labels: dict[str, np.ndarray] = {
        "status": rng.integers(0, 3, rows),
        "arr_delay": rng.normal(size=rows).astype(np.float32),
    }
    present = {"status": np.ones(rows, np.float32), "arr_delay": (rng.random(rows) > 0.03).astype(np.float32)}
    heads = {
        task: make_head(
            task,
            config.tasks[task],
            label_statistics(task, task, labels[task], present[task], 3 if task == "status" else 0),
        )
        for task in config.tasks
    }
    data = SimpleNamespace(sample=columns, rows=rows)
    model = make_model(config, transform, heads, data)  # type: ignore[arg-type]
    batches = tf.nest.map_structure(lambda v: v.reshape(steps, batch, *v.shape[1:]), (columns, labels, present))
    iterator = iter(tf.data.Dataset.from_tensor_slices(batches).repeat().prefetch(4))
    model.make_train_function()
    function = model.train_function

    def run() -> float:
        started = time.perf_counter()
        for _ in range(CALLS):
            logs = function(iterator)
        float(logs["loss"])
        return (time.perf_counter() - started) / (CALLS * steps)

    return run


def _spec(config: Any) -> dict[str, Any]:
    import tensorflow as tf

    from trainer.names import missing_name

    spec = {}
    for name, feature in config.features.items():
        width = 2 if feature.kind == "cyclical" else 1
        spec[name] = tf.io.FixedLenFeature([width], tf.int64 if feature.kind == "categorical" else tf.float32)
        if feature.missing_indicator:
            spec[missing_name(name)] = tf.io.FixedLenFeature([1], tf.float32)
    return spec


def _print(document: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"time per step / that of {BASELINE} ({document['milliseconds']} ms), {document['rounds']} rounds"
    table = Table("", "median", "range", "target", title=title)
    for name, ratio in document["ratios"].items():
        target = TARGETS.get(name)
        kept = "" if target is None else f"≤ {target:.2f} {'kept' if ratio['median'] <= target else 'missed'}"
        table.add_row(name, f"{ratio['median']:.2f}", f"{ratio['min']:.2f} - {ratio['max']:.2f}", kept)
    Console().print(table)


if __name__ == "__main__":
    main()
