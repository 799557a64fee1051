"""`make bench`: measures Janus against the same pipeline of stock components, on the same rows, in turn.

Writes benchmarks/results.json and benchmarks/results.png, prints the ratios. Times depend on the machine and
its other work; the ratios are what counts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
CONFIG = "configs/flights.yaml"
SPLIT = "data.split={by: hash, eval_fraction: 0.16667}"
TARGETS = {"ExampleGen": 12.0, "ExampleGen (Parquet)": 12.0, "Transform": 2.0, "Evaluator": 6.0, "whole": 3.0}
SHOWN = ("ExampleGen", "ExampleGen (Parquet)", "StatisticsGen", "Transform", "Trainer", "Evaluator", "whole")


@dataclass(frozen=True)
class Ratio:
    """Seconds of stock TFX and of Janus, pair by pair."""

    stock: list[float]
    janus: list[float]

    @property
    def values(self) -> list[float]:
        """One ratio per pair, ascending."""
        return sorted(a / b for a, b in zip(self.stock, self.janus, strict=True))

    def as_json(self) -> dict[str, object]:
        """Medians, and the ratio's range."""
        return {
            "stock_seconds": statistics.median(self.stock),
            "janus_seconds": statistics.median(self.janus),
            "ratio": {"median": statistics.median(self.values), "min": self.values[0], "max": self.values[-1]},
        }


def main() -> None:
    """Parses the command line, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3, help="measured pairs (default: %(default)s)")
    parser.add_argument("--growth", type=int, nargs="*", default=[1, 3, 10], help="multiples of the rows")
    parser.add_argument("--growth-rows", type=int, default=336_776, help="rows that the multiples repeat")
    parser.add_argument("--only", choices=["pairs", "by_hand", "growth", "trainer", "cached"], nargs="*")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    arguments = parser.parse_args()
    parts = arguments.only or ["pairs", "by_hand", "cached", "trainer", "growth"]
    console = Console()
    results = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    with tempfile.TemporaryDirectory(prefix="janus-bench-") as folder:
        for part in parts:
            measured = MEASUREMENTS[part](Path(folder), arguments, console)
            results[part] = measured
            arguments.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    console.print(table_of(results))
    draw(results, arguments.output.with_suffix(".png"))
    console.print(f"{arguments.output}, {arguments.output.with_suffix('.png')}")


def run_once(kind: str, folder: Path, *overrides: str) -> dict:
    """One process of `benchmarks.measure`."""
    command = [sys.executable, "-m", "benchmarks.measure", kind, CONFIG, str(folder), *overrides]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed; see {folder}/run.log\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_pairs(folder: Path, arguments: argparse.Namespace, console: Console) -> dict:
    """Whole pipelines from CSV, and the two ExampleGens from Parquet."""
    found: dict[str, dict[str, list[float]]] = {}
    for pair in range(arguments.pairs):
        for kind in ("stock", "janus"):
            console.print(f"pair {pair + 1}/{arguments.pairs}: {kind}")
            run = run_once(kind, folder / f"{kind}-{pair}", SPLIT, "evaluation.gates={}")
            parquet = run_once(
                f"{kind}-ingest",
                folder / f"{kind}-parquet-{pair}",
                SPLIT,
                "data.format=parquet",
                "data.path=data/flights-parquet",
            )
            seconds = {
                **run["components"],
                "whole": run["whole"],
                "ExampleGen (Parquet)": parquet["components"]["ExampleGen"],
            }
            console.print("  " + ", ".join(f"{name} {seconds[name]:.1f} s" for name in SHOWN))
            for name, value in seconds.items():
                found.setdefault(name, {}).setdefault(kind, []).append(value)
    return {name: Ratio(found[name]["stock"], found[name]["janus"]).as_json() for name in SHOWN}


def measure_cached(folder: Path, arguments: argparse.Namespace, console: Console) -> dict:
    """`janus run` with nothing new to do, as a user calls it; and `janus --help`."""
    del arguments
    console.print("cached run")
    home = folder / "cached"
    run = _janus_run(home)
    _seconds_of(run, home)
    commands = {"run": run, "help": [run[0], "--help"]}
    return {name: statistics.median(_seconds_of(command, home) for _ in range(3)) for name, command in commands.items()}


def measure_by_hand(folder: Path, arguments: argparse.Namespace, console: Console) -> dict:
    """Whole processes in turn: `janus run`, nothing cached, and the script that one would write by hand."""
    found: dict[str, list[float]] = {"by hand": [], "janus": []}
    for pair in range(arguments.pairs):
        home = folder / f"by-hand-{pair}"
        commands = {
            "janus": (_janus_run(home), home),
            "by hand": ([sys.executable, "-m", "benchmarks.by_hand", str(home)], Path.cwd()),
        }
        for kind, (command, where) in commands.items():
            found[kind].append(_seconds_of(command, where))
            console.print(f"by hand, pair {pair + 1}/{arguments.pairs}: {kind} {found[kind][-1]:.1f} s")
    ratios = sorted(a / b for a, b in zip(found["janus"], found["by hand"], strict=True))
    return {
        "by_hand_seconds": statistics.median(found["by hand"]),
        "janus_seconds": statistics.median(found["janus"]),
        "ratio": {"median": statistics.median(ratios), "min": ratios[0], "max": ratios[-1]},
    }


def _janus_run(home: Path) -> list[str]:
    """The command of a run in a new home."""
    root = Path.cwd()
    home.mkdir()
    (home / "schema").symlink_to(root / "schema")
    janus = str(Path(sys.executable).with_name("janus"))
    return [janus, "run", str(root / CONFIG), "--set", f"data.path={root}/data/flights"]


def _seconds_of(command: list[str], folder: Path) -> float:
    started = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.monotonic() - started


def measure_trainer(folder: Path, arguments: argparse.Namespace, console: Console) -> dict:
    """The Trainer's examples per second against those of a bare Keras loop on tensors in memory."""
    del arguments
    console.print("trainer")
    run_once("janus", folder / "trainer", SPLIT, "evaluation.gates={}")
    command = [sys.executable, "-m", "benchmarks.keras_limit", CONFIG, str(folder / "trainer")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure_growth(folder: Path, arguments: argparse.Namespace, console: Console) -> dict:
    """Time and peak memory at multiples of the rows."""
    found = {}
    for multiple in arguments.growth:
        console.print(f"growth {multiple}×")
        data = folder / f"data-{multiple}"
        prepare = [
            sys.executable,
            "-m",
            "benchmarks.repeat_flights",
            str(arguments.growth_rows),
            str(multiple),
            str(data),
        ]
        subprocess.run(prepare, check=True)
        run = run_once("janus", folder / f"growth-{multiple}", SPLIT, "evaluation.gates={}", f"data.path={data}")
        found[str(multiple)] = {"seconds": run["whole"] - run["imports"], "peak_mb": run["peak_mb"]}
    return found


MEASUREMENTS = {
    "pairs": measure_pairs,
    "by_hand": measure_by_hand,
    "cached": measure_cached,
    "trainer": measure_trainer,
    "growth": measure_growth,
}


def table_of(results: dict) -> Table:
    """The table of docs/performance.md."""
    table = Table("", "stock", "Janus", "ratio", "range", "target")
    for name, row in results.get("pairs", {}).items():
        ratio, target = row["ratio"], TARGETS.get(name)
        table.add_row(
            name,
            f"{row['stock_seconds']:.1f} s",
            f"{row['janus_seconds']:.1f} s",
            f"{ratio['median']:.1f}×",
            f"{ratio['min']:.1f}-{ratio['max']:.1f}",
            f"≥ {target:g}×" if target else "",
        )
    if "by_hand" in results:
        whole, by_hand = results["by_hand"], results["by_hand"]["ratio"]
        table.add_row(
            "whole process, by hand",
            f"{whole['by_hand_seconds']:.1f} s",
            f"{whole['janus_seconds']:.1f} s",
            f"{1 / by_hand['median']:.2f}×",
            f"{1 / by_hand['max']:.2f}-{1 / by_hand['min']:.2f}",
            "≥ 0.77×",
        )
    if "trainer" in results:
        trainer = results["trainer"]
        table.add_row("Trainer vs in-memory Keras", "", "", f"{trainer['ratio']:.2f}", "", "≥ 0.85")
    if "growth" in results:
        first, *others = results["growth"].items()
        for multiple, row in others:
            times = row["seconds"] / first[1]["seconds"]
            memory = row["peak_mb"] / first[1]["peak_mb"]
            target = "≤ 10.5×, ≤ 1.6×" if multiple == "10" else ""
            table.add_row(f"{multiple}× rows: time, memory", "", "", f"{times:.1f}×, {memory:.2f}×", "", target)
    if "cached" in results:
        table.add_row("all cached", "", f"{results['cached']['run']:.1f} s", "", "", "< 15 s")
        table.add_row("janus --help", "", f"{results['cached']['help']:.2f} s", "", "", "< 0.5 s")
    return table


def draw(results: dict, path: Path) -> None:
    """Seconds side by side, a bar per component."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pairs = results.get("pairs")
    if not pairs:
        return
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for offset, kind in ((-0.2, "stock"), (0.2, "janus")):
        heights = [row[f"{kind}_seconds"] for row in pairs.values()]
        bars = axes.bar([index + offset for index in range(len(pairs))], heights, 0.4, label=kind)
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    axes.set_xticks(range(len(pairs)), list(pairs), rotation=15)
    axes.set_ylabel("seconds (median)")
    axes.set_title("The flights pipeline, stock TFX components and Janus, same rows and machine")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
