"""What the parts of the network proposed by `janus init` give: `python -m benchmarks.ablation FOLDER --downloads CSVS`.

For each of benchmarks.public_tables.DOWNLOADED: `janus init` and one `janus run`, then variants of the configuration
are trained on the transformed examples and measured on the eval split, as `janus compare` does. Every training is a
line of FOLDER/ablation.jsonl; the same command continues after the last one. Prints a Markdown table.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.intervals import Predicted, write_predictions
from benchmarks.public_tables import DOWNLOADED, write_downloaded
from janus_core.kinds import kind_of
from trainer.config import TaskConfig
from trainer.config.tasks import classes_of

if TYPE_CHECKING:
    from trainer.evaluate import Predictions

PLAIN = {
    "model.encoding": "raw",
    "model.members": 1,
    "model.trunk.units": [128, 64],
    "model.trunk.dropout": 0.1,
    "model.towers": {"default": [32]},
    "training.optimizer": "adam",
    "training.weight_decay": None,
    "training.learning_rate": 0.001,
    "training.ema": 0,
    "training.early_stopping.patience": 3,
    "training.min_steps": 0,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "plain": PLAIN,
    "1 member": {"model.members": 1},
    "narrow": {"model.trunk.units": [128, 64], "model.towers": {"default": [32]}},
    "raw numbers": {"model.encoding": "raw"},
    "dropout": {"model.trunk.dropout": 0.1},
    "no average": {"training.ema": 0},
    "few steps": {"training.min_steps": 0},
    "slow": {"training.learning_rate": 0.0005},
    "more steps": {"training.min_steps": 10_000},
    "cosine": {"training.schedule": "cosine"},
    "mmoe": {"model.trunk": {"kind": "mmoe", "units": [256, 128], "dropout": 0}},
    "cross_stitch": {"model.trunk": {"kind": "cross_stitch", "units": [256, 128], "dropout": 0}},
    "none": {"model.trunk": {"kind": "none", "units": [256, 128], "dropout": 0}},
}
"""Name → values of keys of the configuration, over what `janus init` proposes."""


def main() -> None:
    """Prepares each table, trains in a process per table, and prints the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where tables, runs and results go")
    parser.add_argument("--downloads", type=Path, default=Path(), help="the folder of the downloaded CSV files")
    parser.add_argument("--tables", default=",".join(DOWNLOADED), help="some of them, with commas between")
    parser.add_argument("--variants", default="recipe,plain", help=f"with commas between: {', '.join(VARIANTS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder, tables, variants = arguments.folder.resolve(), arguments.tables.split(","), arguments.variants.split(",")
    if unknown := {*variants} - {*VARIANTS}:
        parser.error(f"unknown variants: {', '.join(sorted(unknown))}")
    if arguments.train:
        _train(folder, tables[0], variants, arguments.seeds)
        return
    for table in tables:
        _prepare(folder, table, arguments.downloads.resolve())
        command = [sys.executable, "-m", "benchmarks.ablation", str(folder), "--train", "--tables", table]
        command += ["--variants", arguments.variants, "--seeds", str(arguments.seeds)]
        subprocess.run(command, check=True)
    _print_summary(folder, tables, variants, arguments.seeds)


def _prepare(folder: Path, table: str, downloads: Path) -> None:
    home = folder / table
    if not (home / "data" / f"{table}.csv").exists():
        write_downloaded(table, downloads, home / "data" / f"{table}.csv")
    if (home / "runs" / table / "latest").exists():
        return
    targets = DOWNLOADED[table].targets
    for arguments in (
        ["init", f"data/{table}.csv", "--targets", targets, "--force"],
        ["run", f"configs/{table}.yaml", "--set", "training.epochs=1", "--set", "training.min_steps=0"],
    ):
        done = subprocess.run([sys.executable, "-m", "pipeline", *arguments], cwd=home, capture_output=True, text=True)
        # 4: a gate was not met, which after one epoch may well be.
        if done.returncode not in (0, 4):
            raise SystemExit(f"{table}: janus {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def _train(folder: Path, table: str, variants: list[str], seeds: int) -> None:
    from pipeline.commands.compare.training import measured, metrics_plan, open_examples
    from pipeline.config.file import load_config
    from trainer.evaluate import predictions
    from trainer.trial import train_trial

    os.chdir(folder / table)
    root = Path("runs") / table / "root" / "Transform"
    graph, transformed = (newest(root / output) for output in ("transform_graph", "transformed_examples"))
    done = {(line["table"], line["variant"], line["seed"]) for line in lines_of(folder / "ablation.jsonl")}
    for seed in range(seeds):
        for variant in variants:
            if (table, variant, seed) in done:
                continue
            settings = [f"{key}={json.dumps(value)}" for key, value in VARIANTS[variant].items()]
            config = load_config(f"configs/{table}.yaml", settings)
            trainer = config.trainer_config()
            examples = open_examples(graph, [transformed], trainer, "")
            trial = train_trial(trainer, examples.transform, examples.training, seed)
            batches = list(predictions(trial.network, trial.heads, examples.evaluation))
            metrics = measured(batches, metrics_plan(config))
            for name, task in config.tasks.items():
                predicted = _predicted(name, task, [batch[name] for batch in batches])
                write_predictions(Path(), name, f"{variant} {seed}", predicted, classes_of(task))
            line = {
                "table": table,
                "variant": variant,
                "seed": seed,
                "metrics": {name: metrics[name][measure_of(task)] for name, task in config.tasks.items()},
                "seconds": round(trial.seconds, 1),
                "epochs": trial.epochs,
                "best_epoch": trial.best_epoch,
                "parameters": trial.parameters,
            }
            print(json.dumps(line), flush=True)
            with (folder / "ablation.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def _predicted(name: str, task: TaskConfig, batches: "Sequence[Predictions]") -> Predicted:
    output = f"{name}/probabilities" if classes_of(task) else name
    labels, weights, values = (
        np.concatenate(parts)
        for parts in zip(*((batch.labels, batch.weights, batch.outputs[output]) for batch in batches), strict=True)
    )
    rows = weights[:, 0] > 0
    return Predicted(measure_of(task), labels[rows, 0], values[rows] if classes_of(task) else values[rows, 0])


def newest(folder: Path) -> Path:
    """The artifact of a node's output that the last execution made."""
    return max(folder.iterdir(), key=lambda path: int(path.name))


def measure_of(task: TaskConfig) -> str:
    """`auc`, or `mae`: of an ordinal task in classes."""
    return "auc" if kind_of(task).headline == "auc" else "mae"


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The results in a file of JSON lines; none where it does not exist."""
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def _print_summary(folder: Path, tables: list[str], variants: list[str], seeds: int) -> None:
    print(f"\n| table.task | {' | '.join(variants)} |\n|---|{'---|' * len(variants)}")
    found = [line for line in lines_of(folder / "ablation.jsonl") if line["seed"] < seeds]
    for table in tables:
        of_table = [line for line in found if line["table"] == table]
        for task in of_table[0]["metrics"]:
            cells = []
            for variant in variants:
                values = [line["metrics"][task] for line in of_table if line["variant"] == variant]
                spread = f" ± {stdev(values):.2g}" if len(values) > 1 else ""
                cells.append(f"{fmean(values):.5g}{spread}")
            print(f"| {table}.{task} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
