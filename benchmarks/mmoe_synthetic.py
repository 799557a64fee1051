"""MMoE's synthetic study with Janus's own trunks: `python -m benchmarks.mmoe_synthetic [--output PATH]`.

Ma et al. 2018, "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", sections 3.3
and 4.2. Two regression tasks read the same 100 normal inputs x. Their weight vectors are unit vectors w1, w2 of cosine
p, and with z = c · w'x each label is z + the sum over i of sin(α_i · z + β_i), plus noise of variance 0.01. The paper
claims that a multi-gate mixture of experts (MMoE) loses little as the tasks grow apart, and a shared bottom much.

As in the paper: 100 inputs, 8 experts of one layer of 16 units, towers of one layer of 8 units, the sum of squared
errors, Adam with a learning rate chosen for each model and correlation from 0.0001, 0.001 and 0.01, and every run with
data and initial weights of its own. The paper leaves open, and here is: c = 1; α_i and β_i as `REGIMES` has them; a
fresh batch in every step, so that nothing can be memorised; learning rates chosen on seeds that the result does
not use. The paper's shared bottom has 113 units, which ignores what the gates take; here it has as many as make the
models' parameters equal, gates included. Losses are those on labels without noise, the mean of the last four tests.

All seeds, correlations and learning rates are trained at once, as one stack of independent networks: the step is that
of each by itself, with Adam written out.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import environment

CORRELATIONS = (0.0, 0.5, 0.9, 1.0)
LEARNING_RATES = (0.0001, 0.001, 0.01)
TASKS = ("first", "second")
MODELS = ("shared_bottom", "mmoe")
INPUTS, EXPERTS, EXPERT_UNITS, TOWER_UNITS = 100, 8, 16, 8
NOISE_VARIANCE = 0.01
TUNING_SEEDS = 1_000_000
"""The first of the seeds that learning rates are chosen by."""
STEPS_PER_CALL = 250
TEST_ROWS = 4096
LAST_TESTS = 4
"""The number of last tests whose mean is the final loss: single ones vary with the last batches."""

REGIMES = {
    "smooth": "five sines, α_i and β_i from N(0, 1) once per seed",
    "wavy": "three sines, α_i = β_i = i",
    "jagged": "ten sines, α_i = i, β_i = (i - 1)²",
}
"""Labels that are easy, harder and hardest to learn: the paper gives no numbers.

Of the last one are the constants of Google Research's generator of such data (for Maziarz et al. 2019, "Flexible
Multi-task Networks by Learning Parameter Allocation"), whose source says too that the paper does not provide them.
"""


@dataclass(frozen=True)
class Settings:
    """What may be changed on the command line."""

    seeds: int = 20
    tuning_seeds: int = 6
    steps: int = 4000
    batch: int = 64


@dataclass(frozen=True)
class Problems:
    """A pair of tasks per seed and correlation; S seeds, C correlations.

    Attributes:
        weights: float32 [S, C, 2, inputs], unit vectors.
        alpha, beta: float32 [S, sines].
    """

    weights: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray

    @classmethod
    def of(cls, regime: str, seeds: Sequence[int]) -> "Problems":
        weights, alpha, beta = [], [], []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            u1, u2 = np.linalg.qr(rng.normal(size=(INPUTS, 2)))[0].T
            weights.append([[u1, p * u1 + math.sqrt(1 - p * p) * u2] for p in CORRELATIONS])
            for values, found in zip((alpha, beta), sines(regime, rng), strict=True):
                values.append(found)
        return cls(*(np.array(values, np.float32) for values in (weights, alpha, beta)))

    def labels(self, x: Any) -> Any:
        """[S, rows, inputs] → labels without noise, [S, C, rows, 2]."""
        import tensorflow as tf

        z = tf.einsum("sri,scti->scrt", x, self.weights)
        waves = tf.sin(self.alpha[:, None, None, None, :] * z[..., None] + self.beta[:, None, None, None, :])
        return z + tf.reduce_sum(waves, axis=-1)


def sines(regime: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """α and β of a regime, [sines] each; from `rng` where they are random."""
    if regime == "smooth":
        return rng.normal(size=5), rng.normal(size=5)
    if regime == "wavy":
        return np.arange(1.0, 4.0), np.arange(1.0, 4.0)
    return np.arange(1.0, 11.0), np.arange(10.0) ** 2


def make_network(model: str, units: int) -> Any:
    """A trunk of Janus and a tower per task: [rows, inputs] → [rows, 2]."""
    import keras

    from trainer.config import MmoeTrunk, SharedBottomTrunk
    from trainer.trunks import TRUNKS

    inputs = keras.Input((INPUTS,), name="x")
    config = (
        MmoeTrunk(kind="mmoe", units=[units], experts=EXPERTS) if model == "mmoe" else SharedBottomTrunk(units=[units])
    )
    trunk = TRUNKS[model](config, lambda prefix: inputs, TASKS)
    outputs = []
    for task in TASKS:
        hidden = keras.layers.Dense(TOWER_UNITS, activation=config.activation, name=f"{task}_tower")(trunk.towers[task])
        outputs.append(keras.layers.Dense(1, name=f"{task}_head")(hidden))
    return keras.Model(inputs, keras.layers.Concatenate(name="both")(outputs))


def parameters(network: Any) -> int:
    """Trained numbers."""
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def equal_units() -> int:
    """Of the shared bottom whose parameters are nearest to MMoE's."""
    target = parameters(make_network("mmoe", EXPERT_UNITS))
    return min(range(64, 200), key=lambda units: abs(_shared_bottom_parameters(units) - target))


def _shared_bottom_parameters(units: int) -> int:
    tower = (units + 1) * TOWER_UNITS + TOWER_UNITS + 1
    return (INPUTS + 1) * units + len(TASKS) * tower


class Stack:
    """Independent networks of one form, trained together.

    Attributes:
        variables: float32 [networks, …] each.
    """

    def __init__(self, model: str, units: int, seeds: Sequence[int]):
        """One network per seed in the list."""
        import keras
        import tensorflow as tf

        initial = []
        for seed in seeds:
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            self._network = make_network(model, units)
            initial.append([variable.numpy() for variable in self._network.trainable_variables])
        self.variables = [tf.Variable(np.stack(values)) for values in zip(*initial, strict=True)]
        self._first = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
        self._second = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
        self._step = tf.Variable(0.0)

    def outputs(self, x: Any) -> Any:
        """[networks, rows, inputs] → [networks, rows, 2]."""
        import tensorflow as tf

        def one(arguments: Any) -> Any:
            rows, *values = arguments
            return self._network.stateless_call(values, [], rows)[0]

        return tf.vectorized_map(one, (x, *(variable.read_value() for variable in self.variables)))

    def train(self, x: Any, labels: Any, rates: Any) -> None:
        """A step of Adam (Kingma and Ba 2015, algorithm 1) with a learning rate for each network."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            # Networks share nothing: the gradient of the sum is each one's own.
            loss = tf.reduce_sum(squared_errors(self.outputs(x), labels))
        gradients = tape.gradient(loss, self.variables)
        self._step.assign_add(1.0)
        step = self._step
        rate = rates * tf.sqrt(1 - tf.pow(0.999, step)) / (1 - tf.pow(0.9, step))
        for variable, first, second, gradient in zip(self.variables, self._first, self._second, gradients, strict=True):
            first.assign(0.9 * first + 0.1 * gradient)
            second.assign(0.999 * second + 0.001 * tf.square(gradient))
            shaped = tf.reshape(rate, [-1] + [1] * (variable.shape.rank - 1))
            variable.assign_sub(shaped * first / (tf.sqrt(second) + 1e-7))


def squared_errors(outputs: Any, labels: Any) -> Any:
    """The sum over the tasks of the mean squared error, [networks]."""
    import tensorflow as tf

    return tf.reduce_sum(tf.reduce_mean(tf.square(outputs - labels), axis=1), axis=1)


def losses(
    regime: str, model: str, units: int, seeds: Sequence[int], rates: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Trains a network per seed, correlation and learning rate.

    Args:
        regime: of the labels.
        model: a kind of trunk.
        units: of its layer.
        seeds: of data and initial weights.
        rates: [C, L], the learning rates of each correlation.
        settings: how long.

    Returns:
        The curves of test losses [S, C, L, points] (inf where a training diverged), and the steps of the points.
    """
    import tensorflow as tf

    problems, count = Problems.of(regime, seeds), rates.size
    stack = Stack(model, units, [seed for seed in seeds for _ in range(count)])
    all_rates = tf.constant(np.tile(rates.reshape(-1), len(seeds)), tf.float32)

    def batch_of(number: Any, rows: int) -> Any:
        """The same batch for all networks of a seed, whatever the model."""
        return tf.stack([tf.random.stateless_normal([rows, INPUTS], [seed, number]) for seed in seeds])

    def per_network(x: Any, labels: Any) -> tuple[Any, Any]:
        by_rate = tf.repeat(labels, rates.shape[1], axis=1)
        return tf.repeat(x, count, axis=0), tf.reshape(by_rate, [-1, *by_rate.shape[2:]])

    @tf.function
    def train(start: Any) -> None:
        for offset in tf.range(STEPS_PER_CALL):
            x = batch_of(start + offset, settings.batch)
            labels = problems.labels(x)
            noise = [tf.random.stateless_normal(labels.shape[1:], [seed, start + offset + 2**30]) for seed in seeds]
            labels += math.sqrt(NOISE_VARIANCE) * tf.stack(noise)
            stack.train(*per_network(x, labels), all_rates)

    @tf.function
    def test(x: Any, labels: Any) -> Any:
        return squared_errors(stack.outputs(x), labels)

    test_x = batch_of(2**29, TEST_ROWS)
    tested = per_network(test_x, problems.labels(test_x))
    points, curve = [], []
    for start in range(0, settings.steps, STEPS_PER_CALL):
        train(tf.constant(start))
        points.append(start + STEPS_PER_CALL)
        found = [test(*(part[:, rows : rows + 512] for part in tested)) for rows in range(0, TEST_ROWS, 512)]
        curve.append(np.mean(found, axis=0))
    curves = np.stack(curve, axis=-1).reshape(len(seeds), *rates.shape, -1)
    return np.where(np.isfinite(curves), curves, np.inf), np.array(points)


def label_correlations(regime: str, seeds: Sequence[int]) -> list[float]:
    """Pearson's correlation of the two labels, mean over the seeds, of each cosine."""
    problems = Problems.of(regime, seeds)
    x = np.random.default_rng(0).normal(size=(len(seeds), 2000, INPUTS)).astype(np.float32)
    labels = problems.labels(x).numpy()
    return [
        float(np.mean([np.corrcoef(labels[seed, index].T)[0, 1] for seed in range(len(seeds))]))
        for index in range(len(CORRELATIONS))
    ]


def study(regime: str, settings: Settings) -> dict[str, Any]:
    """Chooses learning rates, trains, and puts the results of one regime together."""
    started = time.monotonic()
    units = {"shared_bottom": equal_units(), "mmoe": EXPERT_UNITS}
    tuning = [TUNING_SEEDS + seed for seed in range(settings.tuning_seeds)]
    seeds = list(range(1, settings.seeds + 1))
    grid = np.tile(np.array(LEARNING_RATES), (len(CORRELATIONS), 1))
    curves, final, chosen, tuned, points = {}, {}, {}, {}, np.zeros(0)
    for model in MODELS:
        found, _ = losses(regime, model, units[model], tuning, grid, settings)
        tuned[model] = final_loss(found).mean(axis=0)
        chosen[model] = grid[np.arange(len(grid)), tuned[model].argmin(axis=1)]
        found, points = losses(regime, model, units[model], seeds, chosen[model][:, None], settings)
        curves[model], final[model] = found[:, :, 0], final_loss(found[:, :, 0])
    return {
        "labels": REGIMES[regime],
        "label_correlations": label_correlations(regime, seeds),
        "units": units,
        "parameters": {model: parameters(make_network(model, units[model])) for model in MODELS},
        "learning_rates": {model: chosen[model].tolist() for model in MODELS},
        "tuning_losses": {model: tuned[model].tolist() for model in MODELS},
        "steps": points.tolist(),
        "mean_curves": {model: curves[model].mean(axis=0).tolist() for model in MODELS},
        "final_losses": {model: final[model].tolist() for model in MODELS},
        **conclusions(final["shared_bottom"], final["mmoe"]),
        "seconds": round(time.monotonic() - started, 1),
    }


def final_loss(curves: np.ndarray) -> np.ndarray:
    """[…, points] → […]."""
    return curves[..., -LAST_TESTS:].mean(axis=-1)


def conclusions(shared_bottom: np.ndarray, mmoe: np.ndarray) -> dict[str, Any]:
    """What final losses [S, C] say: the gap by correlation, and whether it grows as correlation falls.

    The slope is that of each seed's gap over the cosine, by least squares: negative where the gap grows as correlation
    falls. Intervals are Student's t at 95 %. Since a few networks get stuck at a large loss, which such intervals do
    not bear well, there are also medians, and the p-value of Wilcoxon's signed-rank test of the slopes (two-sided).
    """
    from scipy import stats

    gap = shared_bottom - mmoe
    centred = np.array(CORRELATIONS) - np.mean(CORRELATIONS)
    slopes = gap @ centred / (centred @ centred)

    def summary(values: np.ndarray) -> dict[str, float]:
        error = float(np.std(values, ddof=1) / math.sqrt(len(values)))
        half = float(stats.t.ppf(0.975, len(values) - 1)) * error
        mean = float(values.mean())
        return {
            "mean": mean,
            "standard_error": error,
            "low": mean - half,
            "high": mean + half,
            "median": float(np.median(values)),
        }

    slope = {**summary(slopes), "wilcoxon_p": float(stats.wilcoxon(slopes).pvalue)}
    verdict = "yes" if slope["high"] < 0 else "no, it shrinks" if slope["low"] > 0 else "not shown"
    return {
        "losses": {
            name: [summary(values[:, index]) for index in range(len(CORRELATIONS))]
            for name, values in (("shared_bottom", shared_bottom), ("mmoe", mmoe), ("gap", gap))
        },
        "slope": slope,
        "gap_grows_as_correlation_falls": verdict,
    }


def report(regime: str, result: dict[str, Any]) -> str:
    """The result of one regime in lines."""
    lines = [
        f"{regime}: {result['labels']}",
        f"  parameters {result['parameters']}, units {result['units']}, learning rates {result['learning_rates']}",
        f"  cosine  labels {'shared bottom (median)':>28} {'MMoE (median)':>28} {'gap [95 %] (median)':>38}",
    ]
    for index, cosine in enumerate(CORRELATIONS):
        bottom, mmoe, gap = (result["losses"][name][index] for name in ("shared_bottom", "mmoe", "gap"))
        cells = [f"{f['mean']:.4f} ± {f['standard_error']:.4f} ({f['median']:.4f})" for f in (bottom, mmoe)]
        cells.append(f"{gap['mean']:.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] ({gap['median']:.4f})")
        lines.append(
            f"  {cosine:6.2f} {result['label_correlations'][index]:7.2f} {cells[0]:>28} {cells[1]:>28} {cells[2]:>38}"
        )
    slope, seeds = result["slope"], len(result["final_losses"]["mmoe"])
    lines.append(
        f"  slope of the gap over the cosine: {slope['mean']:+.4f} [{slope['low']:+.4f}, {slope['high']:+.4f}], median "
        f"{slope['median']:+.4f}, Wilcoxon p = {slope['wilcoxon_p']:.3f}, {seeds} seeds, {result['seconds']} s"
    )
    lines.append(f"  does the gap grow as correlation falls? {result['gap_grows_as_correlation_falls']}")
    return "\n".join(lines)


def plot(results: dict[str, dict[str, Any]], path: Path) -> None:
    """For each regime: loss by correlation, the gap by correlation, and the curves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.2 * len(results)), layout="constrained")
    rows = figure.subplots(len(results), 3, squeeze=False)
    for panels, (regime, result) in zip(rows, results.items(), strict=True):
        _plot_losses(panels[0], regime, result)
        _plot_gap(panels[1], result)
        _plot_curves(panels[2], result)
        for panel in panels:
            panel.grid(alpha=0.25)
    figure.savefig(path, dpi=110)


COLOURS = {"shared_bottom": "#b3261e", "mmoe": "#1f4e9c"}


def _plot_losses(panel: Any, regime: str, result: dict[str, Any]) -> None:
    for model in MODELS:
        found = result["losses"][model]
        means, errors = [f["mean"] for f in found], [f["standard_error"] for f in found]
        panel.errorbar(CORRELATIONS, means, yerr=errors, marker="o", capsize=3, color=COLOURS[model], label=model)
        panel.plot(CORRELATIONS, [f["median"] for f in found], ":", color=COLOURS[model], label=f"{model}, median")
    panel.set(title=f"{regime}: final loss ± standard error", xlabel="cosine of the weights", ylabel="squared error")
    panel.legend(fontsize=8)


def _plot_gap(panel: Any, result: dict[str, Any]) -> None:
    gap = result["losses"]["gap"]
    means, errors = [g["mean"] for g in gap], [g["high"] - g["mean"] for g in gap]
    panel.errorbar(CORRELATIONS, means, yerr=errors, marker="o", capsize=3, color="#444444", label="mean")
    panel.plot(CORRELATIONS, [g["median"] for g in gap], ":", color="#444444", label="median")
    panel.axhline(0, linewidth=0.8, color="black")
    panel.set(title="shared bottom − MMoE, 95 % interval", xlabel="cosine (the paper: the gap is small at 1)")
    panel.legend(fontsize=8)


def _plot_curves(panel: Any, result: dict[str, Any]) -> None:
    for model in MODELS:
        for style, cosine, curve in zip(
            ["-", "--", "-.", ":"], CORRELATIONS, result["mean_curves"][model], strict=True
        ):
            label = f"{model}, {cosine:g}"
            panel.plot(result["steps"], curve, style, color=COLOURS[model], label=label, linewidth=1)
    panel.set(title="mean over seeds", xlabel="steps", yscale="log")
    panel.legend(fontsize=7)


def main() -> None:
    """The command line."""
    defaults = Settings()
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/mmoe_synthetic"), help="without .json and .png")
    parser.add_argument("--regimes", nargs="+", choices=list(REGIMES), default=list(REGIMES), help="of the labels")
    for name, value in asdict(defaults).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = vars(parser.parse_args())
    output: Path = arguments.pop("output")
    regimes: list[str] = arguments.pop("regimes")
    environment.prepare()
    settings = Settings(**arguments)
    results: dict[str, dict[str, Any]] = {}
    for regime in regimes:
        results[regime] = study(regime, settings)
        print(report(regime, results[regime]), flush=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    whole = {"settings": asdict(settings), "correlations": list(CORRELATIONS), "regimes": results}
    output.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    plot(results, output.with_suffix(".png"))


if __name__ == "__main__":
    main()
