"""How often gates on a change block models that are no worse, and models that are: simulated, with known true changes.

    .venv/bin/python -m benchmarks.gate_noise --metric auc

Prints a table in Markdown, of `auc` or of `mae`; with `rare`, of how well the noise of an AUC's change is known where
few of the rows are positive. Baseline and candidate are drawn together in each repetition, with
errors that are as correlated as those of two trainings of one network, and are judged by the Evaluator's own functions.
"""

import argparse
import statistics
from collections.abc import Callable

import numpy as np

from components.evaluator.changes import MOST_ROWS
from components.evaluator.gates import Gate, judge
from components.evaluator.result import LABELLED_COUNT, ChangeErrors, MetricKey, OutputErrors
from components.metrics.bootstrap import change_errors
from components.metrics.curves import OneVsRestAUC
from components.metrics.metric import StatisticMetric
from components.metrics.regression import AbsoluteError
from components.metrics.rows import Rows, make_rows, one_group
from janus_core.metrics import Rule

Draw = Callable[[np.random.Generator, int, float], tuple[Rows, Rows]]
"""Random numbers, rows and true harm → the rows as the candidate and as the baseline predict them."""

SHARED = 0.5
"""The share of the variance of a score, or of an error, that both models have in common beside the label."""
POSITIVE, AUC = 0.3, 0.70
"""Share of positive rows, and the baseline's true AUC."""
MAE, SHARED_ERROR = 22.0, 0.9
"""The baseline's true MAE; most of an error is the row's own, which no model could know."""

CONFIDENCE = 0.9


def auc_pair(random: np.random.Generator, rows: int, drop: float, positive: float = POSITIVE) -> tuple[Rows, Rows]:
    """Binormal scores: an AUC is Φ(d / √2) where those of the positive rows are higher by d."""
    labels = (random.uniform(size=rows) < positive).astype(int)
    common = random.normal(size=rows) * np.sqrt(SHARED)

    def predicted(auc: float) -> Rows:
        distance = statistics.NormalDist().inv_cdf(auc) * np.sqrt(2)
        scores = labels * distance + common + random.normal(size=rows) * np.sqrt(1 - SHARED)
        return make_rows(labels, 1 / (1 + np.exp(-scores)), np.ones(rows))

    return predicted(AUC - drop), predicted(AUC)


def mae_pair(random: np.random.Generator, rows: int, rise: float) -> tuple[Rows, Rows]:
    """Errors with long tails (Student's t with 3 degrees of freedom), the candidate's larger by a factor."""
    tails, common = np.sqrt(3 / random.chisquare(3, size=rows)), random.normal(size=rows)
    labels, mean = np.zeros(rows), 2 * np.sqrt(3) / np.pi

    def predicted(mae: float) -> Rows:
        own = random.normal(size=rows)
        errors = tails * (np.sqrt(SHARED_ERROR) * common + np.sqrt(1 - SHARED_ERROR) * own)
        return make_rows(labels, errors / mean * mae, np.ones(rows))

    return predicted(MAE + rise), predicted(MAE)


def simulate(
    name: str, metric: StatisticMetric, draw: Draw, rule: Rule, limit: float, rows: int, harm: float, repeats: int
) -> dict[str, float]:
    """The standard deviation of the change, the mean of its estimated error, and the shares that are blocked."""
    plain = Gate(task="task", metric=name, output="task", rule=rule, limit=limit)
    sure = plain.model_copy(update={"confidence": CONFIDENCE})
    changes, errors, blocked = [], [], np.zeros(2)
    for seed in range(repeats):
        random = np.random.default_rng([seed, rows, round(harm * 1e6)])
        sides = draw(random, rows, harm)
        after, before = (_value(metric, side) for side in sides)
        found = change_errors({name: metric}, *sides, seed, {})
        metrics = {
            (): {
                MetricKey("task", name): after,
                MetricKey("task", name, baseline=True): before,
                MetricKey("task", LABELLED_COUNT): float(rows),
            }
        }
        noise = ChangeErrors(outputs={"task": OutputErrors(rows=rows, errors=found)})
        blocked += [not judge(gate, metrics, noise).passed for gate in (plain, sure)]
        changes.append(after - before)
        errors.append(found[name])
    return {
        "sd": float(np.std(changes)),
        "error": float(np.mean(errors)),
        "plain": blocked[0] / repeats,
        "sure": blocked[1] / repeats,
    }


def _value(metric: StatisticMetric, rows: Rows) -> float:
    (state,) = metric.statistic().of_groups(rows, one_group(len(rows.weights)))
    return metric.value_of(state)


def table(
    name: str, metric: StatisticMetric, draw: Draw, rule: Rule, limit: float, harms: list[float], repeats: int
) -> None:
    """Prints the table of one metric."""
    what = rule.removeprefix("max_")
    print(f"\n| rows | true {what} of `{name}` | standard deviation of the change | estimated error ", end="")
    print(f"| blocked by `{rule}: {limit:g}` | by `{{limit: {limit:g}, confidence: {CONFIDENCE}}}` |")
    print("|--:|--:|--:|--:|--:|--:|")
    for rows in (500, 2000, 5000):
        for harm in harms:
            found = simulate(name, metric, draw, rule, limit, rows, harm, repeats)
            print(f"| {rows:,} | {harm:g} | {found['sd']:.3g} | {found['error']:.3g} ", end="")
            print(f"| {100 * found['plain']:.0f} % | {100 * found['sure']:.0f} % |", flush=True)


def rare_table(repeats: int, rows: int = 200_000) -> None:
    """Prints how the estimated error spreads, of rows of which the Evaluator draws MOST_ROWS."""
    metric = OneVsRestAUC(classes=2)
    print("\n| positive rows | of these drawn | standard deviation of `auc`'s change | estimated error, mean ", end="")
    print("| in 8 of 10 cases |\n|--:|--:|--:|--:|--:|")
    for positive in (0.0005, 0.002, 0.01):
        changes, errors = [], []
        for seed in range(repeats):
            random = np.random.default_rng([seed, 7])
            after, before = auc_pair(random, rows, 0.0, positive)
            changes.append(_value(metric, after) - _value(metric, before))
            drawn = np.sort(random.choice(rows, MOST_ROWS, replace=False))
            sides = [Rows(side.labels[drawn], side.predictions[drawn], side.weights[drawn]) for side in (after, before)]
            errors.append(change_errors({"auc": metric}, *sides, seed, {})["auc"] * np.sqrt(MOST_ROWS / rows))
        low, high = np.quantile(errors, [0.1, 0.9])
        print(f"| {100 * positive:g} % | {MOST_ROWS * positive:g} | {np.std(changes):.2g} ", end="")
        print(f"| {np.mean(errors):.2g} | {low:.2g} to {high:.2g} |", flush=True)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--metric", choices=["auc", "mae", "rare"], default="auc")
    parser.add_argument("--repeats", type=int, default=200, help="drawn pairs of models per line")
    arguments = parser.parse_args()
    if arguments.metric == "rare":
        rare_table(arguments.repeats)
    elif arguments.metric == "auc":
        drops = [0.0, 0.01, 0.03, 0.06]
        table("auc", OneVsRestAUC(classes=2), auc_pair, "max_drop", 0.01, drops, arguments.repeats)
    else:
        table("mae", AbsoluteError(), mae_pair, "max_rise", 0.5, [0.0, 0.5, 1.0, 2.0], arguments.repeats)


if __name__ == "__main__":
    main()
