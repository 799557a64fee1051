"""How sure the network's place beside boosting is: `python -m benchmarks.intervals FOLDER --tables kings,fares`.

From the predictions that benchmarks.ablation and benchmarks.boosting leave in FOLDER, the ratio of the network's MAE,
or 1 - AUC, to that of the best boosting library, with a 95 % interval by a paired bootstrap: each replica draws
evaluated rows, the same for both, from each class as many as there are, and seeds of the network. Boosting's own noise,
and that its best library is chosen by the same rows, are not in it. A mean over classes counts one of 3 rows as much
as one of 3,000, so the ratio with each class weighted by its evaluated rows is beside it. Prints a Markdown table.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.public_tables import DOWNLOADED
from components.metrics.curves import OneVsRestAUC

REPLICAS = 2000
BAR = 1.08
"""Of a ratio: a task is shown to be more than 8 % behind where its whole interval is above this."""


class Predicted(NamedTuple):
    """The evaluated rows of a task that have a label, as one model predicts them.

    Attributes:
        metric: `auc` or `mae`.
        labels: class numbers, or values, [rows].
        values: probabilities [rows, classes] or values [rows].
    """

    metric: str
    labels: np.ndarray
    values: np.ndarray


class Ratio(NamedTuple):
    """The network's error as a multiple of boosting's, and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def write_predictions(home: Path, task: str, model: str, predicted: Predicted, classes: Sequence[str]) -> None:
    """Keeps a model's predictions in a table's folder; `classes` are in the order of its probabilities."""
    (home / "predictions").mkdir(exist_ok=True)
    np.savez(home / "predictions" / f"{task}.{model}.npz", classes=np.array(classes, str), **predicted._asdict())


def read_predictions(home: Path, task: str) -> dict[str, Predicted]:
    """Model → its predictions of a task, with the classes of all in the same order.

    Raises:
        ValueError: the models were not evaluated on the same rows.
    """
    found = {}
    for path in sorted((home / "predictions").glob(f"{task}.*.npz")):
        with np.load(path) as kept:
            metric, classes, values = str(kept["metric"]), kept["classes"], kept["values"]
            labels = kept["labels"].astype(np.float32)
        if len(classes):
            order = np.argsort(classes)
            labels, values = np.argsort(order)[labels.astype(int)], values[:, order]
        found[path.name.removeprefix(f"{task}.").removesuffix(".npz")] = Predicted(metric, labels, values)
    if len({predicted.labels.tobytes() for predicted in found.values()}) > 1:
        raise ValueError(f"{home.name}.{task}: the models were evaluated on different rows")
    return found


def errors(predicted: Predicted, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The errors of each replica, and what they weigh.

    Args:
        predicted: the rows.
        times: how often a row is in a replica, int [replicas, rows].

    Returns:
        [replicas, classes] of 1 - AUC, without classes that no row has, or [replicas, 1] of MAE; the evaluated rows of
        each class.
    """
    labels, values = predicted.labels, predicted.values
    if predicted.metric == "mae":
        if values.ndim > 1:  # of an ordinal task, the distance of the median class
            values = (values.cumsum(axis=1) < 0.5).sum(axis=1)
        return (times @ np.abs(values - labels) / times.sum(axis=1))[:, None], np.array([len(labels)])
    area, columns, counts = OneVsRestAUC(classes=2).area, [], []
    for number in [1] if values.shape[1] == 2 else range(values.shape[1]):
        has = labels == number
        if not 0 < has.sum() < len(has):
            continue
        keys, places = np.unique(values[:, number], return_inverse=True)
        columns.append(
            [
                1 - area(np.bincount(places, drawn * has, len(keys)), np.bincount(places, drawn * ~has, len(keys)))
                for drawn in times
            ]
        )
        counts.append(has.sum())
    return np.array(columns).T, np.array(counts)


def ratios(network: Sequence[Predicted], boosting: Predicted, replicas: int = REPLICAS) -> tuple[Ratio, Ratio]:
    """The ratio of the mean over the classes, and of the mean weighted by their rows.

    Args:
        network: the predictions of each seed.
        boosting: those of the other model, of the same rows.
        replicas: of the bootstrap.
    """
    random = np.random.default_rng(0)
    count, auc = len(boosting.labels), boosting.metric == "auc"
    strata = [np.flatnonzero(boosting.labels == label) for label in np.unique(boosting.labels)] if auc else []
    times = np.ones((replicas + 1, count), int)  # The first is the rows as they are.
    for drawn in times[1:]:
        rows = np.concatenate([random.choice(stratum, len(stratum)) for stratum in strata or [np.arange(count)]])
        drawn[:] = np.bincount(rows, minlength=count)
    (base, weights), ours = errors(boosting, times), np.stack([errors(seed, times)[0] for seed in network])
    chosen = random.integers(0, len(network), (replicas + 1, len(network)))
    chosen[0] = np.arange(len(network))
    mean = ours[chosen, np.arange(replicas + 1)[:, None]].mean(axis=1)
    return _ratio(mean.mean(axis=1) / base.mean(axis=1)), _ratio(mean @ weights / (base @ weights))


def _ratio(values: np.ndarray) -> Ratio:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Ratio(float(values[0]), float(low), float(high))


def best_of(models: Mapping[str, Predicted]) -> str:
    """The model with the least error."""
    return min(models, key=lambda model: errors(models[model], np.ones((1, len(models[model].labels)), int))[0].mean())


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="the folder of benchmarks.ablation and benchmarks.boosting")
    parser.add_argument("--tables", default=",".join(DOWNLOADED), help="some of them, with commas between")
    parser.add_argument("--variant", default="recipe", help="of benchmarks.ablation")
    parser.add_argument("--each", action="store_true", help="beside each library, not only the best")
    arguments = parser.parse_args()
    print("| table.task | rows, of the rarest class | beside | mean over classes | by rows of each class | over 8 % |")
    print("|---|---|---|---|---|---|")
    for table in arguments.tables.split(","):
        home = arguments.folder / table
        for task in sorted({path.name.split(".")[0] for path in (home / "predictions").glob("*.npz")}):
            models = read_predictions(home, task)
            network = [models[name] for name in models if name.rpartition(" ")[0] == arguments.variant]
            others = {name: models[name] for name in models if not name.rpartition(" ")[2].isdecimal()}
            if not network or not others:
                continue
            labels, auc = network[0].labels, network[0].metric == "auc"
            rarest = f", {np.unique(labels, return_counts=True)[1].min():,}" if auc else ""
            for other in others if arguments.each else [best_of(others)]:
                plain, by_rows = ratios(network, others[other])
                shown = "yes" if plain.low > BAR else "no" if plain.high <= BAR else "not shown"
                cells = [f"{table}.{task}", f"{len(labels):,}{rarest}", other, str(plain), str(by_rows), shown]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
