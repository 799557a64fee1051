"""A month of continuous training: every night a day of flights arrives, and `janus run` takes it.

    python -m benchmarks.simulated_month --output /tmp/month

The flights (`python configs/flights.py` makes them) are laid out by day as spans, `data/{SPAN}/v{VERSION}`, where the
span is the day of the year. Each night the day that has just ended is added, and a run in a process of its own trains
on the days before it and evaluates on it, beside the last pushed model. The results are written to `month.json`,
`month.md` and `month.png`. A second call continues with the first night that has no result yet.
"""

import argparse
import datetime
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from google.protobuf import text_format
from matplotlib.figure import Figure
from tensorflow_metadata.proto.v0 import schema_pb2

SOURCES = Path(__file__).parents[1]
NAME = "flights_daily"
YEAR = 2013
GATE_FAILED = 4
SHOWN = (("status", "auc"), ("status", "log_loss"), ("arr_delay", "mae"), ("arr_delay", "bias"))
"""The metrics of the table, as (task, metric)."""

# One day in a storm is far from the others: only a limit beside the last model's metrics on the same day is fair.
GATES = "{status: {auc: {min: 0.55, max_drop: 0.05}}, arr_delay: {mae: {max_rise: 2.0}}}"


@dataclass(frozen=True)
class Night:
    """What a night's run reported.

    Attributes:
        span: the day of the year that was evaluated.
        date: the same in ISO 8601.
        exit_code: 0, or 4 where a gate kept the model from being pushed.
        spans, train, evaluated: how many spans were trained on, their rows, and the evaluated span's rows.
        delayed: the share of the evaluated flights that were delayed or cancelled.
        metrics, baseline: `task/metric` → value, of this night's model and of the last pushed one, on the same rows.
        seconds: the run's, from the start of its process to its end.
        peak_memory_mb: the run's.
        problems: why nothing was pushed.
    """

    span: int
    date: str
    exit_code: int
    spans: int
    train: int
    evaluated: int
    delayed: float
    metrics: dict[str, float | None]
    baseline: dict[str, float | None]
    seconds: float
    peak_memory_mb: float
    problems: list[str]


def write_span(flights: pd.DataFrame, span: int, folder: Path) -> pd.DataFrame:
    """Writes a day's flights to `folder/<span>/v1/flights.csv`, which appears whole; returns them."""
    day = flights[flights["day_of_year"] == span]
    if day.empty:
        raise SystemExit(f"the flights have no day {span}")
    target = folder / str(span) / "v1" / "flights.csv"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = target.with_name(f".{target.name}")
        day.to_csv(staging, index=False)
        staging.rename(target)
    return day


def write_schema(folder: Path) -> Path:
    """Writes a schema for single days to `folder`, and returns its path.

    The flights' own is of a year: on a day without a gust of wind, a column that holds little is empty.
    """
    schema = text_format.Parse((SOURCES / "schema/flights.pbtxt").read_text(encoding="utf-8"), schema_pb2.Schema())
    for feature in schema.feature:
        if feature.presence.min_fraction < 1.0:
            feature.presence.min_fraction, feature.presence.min_count = 0.0, 0
    path = folder / "schema.pbtxt"
    _write(path, text_format.MessageToString(schema))
    return path


def run_night(day: pd.DataFrame, span: int, folder: Path, arguments: argparse.Namespace) -> Night:
    """Runs the pipeline in `folder` on the spans that are there, and reads its report."""
    overrides = [
        f"name={NAME}",
        "data.path=data/{SPAN}/v{VERSION}/*.csv",
        "data.split={by: span}",
        f"data.window={arguments.window}",
        f"schema={write_schema(folder)}",
        f"training.batch_size={arguments.batch_size}",
        f"training.epochs={arguments.epochs}",
        f"training.warm_start={str(arguments.warm_start).lower()}",
        f"evaluation.gates={GATES}",
        "push.path=serving",
        # What a report shows of single columns takes longer than the training.
        "report.importance_rows=0",
    ]
    command = [sys.executable, "-m", "pipeline", "run", str(SOURCES / "configs/flights.yaml")]
    for override in overrides:
        command += ["--set", override]
    started = time.monotonic()
    with (folder / "night.log").open("w", encoding="utf-8") as log:
        code = subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    seconds = time.monotonic() - started
    if code not in (0, GATE_FAILED):
        raise SystemExit(f"night {span}: `janus run` ended with {code}: see {folder / 'night.log'}")
    report = json.loads((folder / "runs" / NAME / "latest" / "report.json").read_text(encoding="utf-8"))
    if report["span"] != span:
        raise SystemExit(f"night {span}: the newest report is of span {report['span']}: see {folder / 'night.log'}")
    return Night(
        span=span,
        date=_date(span).isoformat(),
        exit_code=code,
        spans=len(report["window"]),
        train=report["examples"]["train"],
        evaluated=report["examples"]["eval"],
        delayed=round(float((day["status"] != "on_time").mean()), 4),
        metrics={f"{task}/{name}": report["tasks"][task]["metrics"].get(name) for task, name in SHOWN},
        baseline={f"{task}/{name}": report["tasks"][task]["baseline"].get(name) for task, name in SHOWN},
        seconds=round(seconds, 1),
        peak_memory_mb=report["peak_memory_mb"],
        problems=report["problems"],
    )


def write_results(nights: Sequence[Night], folder: Path) -> None:
    """Writes month.json, month.md and month.png."""
    content = json.dumps([asdict(night) for night in nights], indent=1, allow_nan=False)
    _write(folder / "month.json", content + "\n")
    _write(folder / "month.md", "\n".join(table_lines(nights)) + "\n")
    draw(nights, folder / "month.png")


def table_lines(nights: Sequence[Night]) -> list[str]:
    """The nights as a Markdown table, each metric beside the last pushed model's on the same day, and the means."""
    names = [f"{task}/{name}" for task, name in SHOWN]
    header = ["evaluated", "days", "rows", "late", *(f"{name} (before)" for name in names), "pushed", "s"]
    lines = [f"| {' | '.join(header)} |", f"|---{'|--:' * (len(header) - 1)}|"]
    for night in nights:
        metrics = [f"{_number(night.metrics[name])} ({_number(night.baseline[name])})" for name in names]
        pushed = "yes" if night.exit_code == 0 else "no"
        cells = [night.date, night.spans, f"{night.train:,}", f"{night.delayed:.0%}", *metrics, pushed, night.seconds]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    compared = [night for night in nights if night.baseline[names[0]] is not None]
    means = [f"{_mean(compared, name, False)} ({_mean(compared, name, True)})" for name in names]
    pushed = f"{sum(night.exit_code == 0 for night in nights)} of {len(nights)}"
    seconds = f"{sum(night.seconds for night in nights) / len(nights):.1f}"
    lines.append(f"| mean of {len(compared)} | | | | {' | '.join(means)} | {pushed} | {seconds} |")
    reasons = [f"- {night.date}: {'; '.join(night.problems)}" for night in nights if night.exit_code != 0]
    return [*lines, *(["", "Not pushed:", "", *reasons] if reasons else [])]


def draw(nights: Sequence[Night], path: Path) -> None:
    """Draws each metric over the nights, this night's model and the last pushed one."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    dates = [datetime.date.fromisoformat(night.date) for night in nights]
    for axis, (task, name) in zip(figure.subplots(2, 2, sharex=True).ravel(), SHOWN, strict=True):
        key = f"{task}/{name}"
        for label, values in (
            ("this night's model", [night.metrics[key] for night in nights]),
            ("the last pushed one", [night.baseline[key] for night in nights]),
        ):
            # None is drawn as a gap.
            axis.plot(
                [date.strftime("%d %b") for date in dates],
                [float("nan") if value is None else value for value in values],
                marker=".",
                label=label,
            )
        axis.set_title(f"{task}: {name}", fontsize=10)
        axis.grid(alpha=0.3)
        axis.tick_params(axis="x", labelrotation=90, labelsize=8)
        axis.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _mean(nights: Sequence[Night], name: str, before: bool) -> str:
    values = [(night.baseline if before else night.metrics)[name] for night in nights]
    defined = [value for value in values if value is not None]
    return _number(sum(defined) / len(defined) if defined else None)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _date(span: int) -> datetime.date:
    return datetime.date(YEAR, 1, 1) + datetime.timedelta(span - 1)


def _write(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}")
    staging.write_text(text, encoding="utf-8")
    staging.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="the folder for data, runs, models and results")
    parser.add_argument("--flights", type=Path, default=SOURCES / "data/flights/flights.csv", help="the flights' CSV")
    parser.add_argument("--nights", type=int, default=30, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=31, help="the first evaluated day of the year (default: 31)")
    parser.add_argument("--window", type=int, default=30, help="days to train on (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="of each training (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=128, help="of each training (default: %(default)s)")
    parser.add_argument("--warm-start", action="store_true", help="train on from the last pushed model's weights")
    return parser


def main() -> None:
    """Runs the nights that have no result yet, then writes the results of all."""
    arguments = _parser().parse_args()
    if not arguments.flights.exists():
        raise SystemExit(f"{arguments.flights} is missing: make it with `python configs/flights.py`")
    folder = arguments.output.resolve()
    done = folder / "nights"
    done.mkdir(parents=True, exist_ok=True)
    flights = pd.read_csv(arguments.flights, dtype=str).astype({"day_of_year": int})
    for span in range(max(1, arguments.first - arguments.window), arguments.first):
        write_span(flights, span, folder / "data")
    nights = []
    for number, span in enumerate(range(arguments.first, arguments.first + arguments.nights), 1):
        day = write_span(flights, span, folder / "data")
        kept = done / f"{span}.json"
        if not kept.exists():
            _write(kept, json.dumps(asdict(run_night(day, span, folder, arguments)), indent=1) + "\n")
        nights.append(Night(**json.loads(kept.read_text(encoding="utf-8"))))
        night = nights[-1]
        metrics = ", ".join(f"{name} {_number(value)}" for name, value in night.metrics.items())
        print(f"night {number}/{arguments.nights}, {night.date}: {metrics}; {night.seconds:.0f} s", flush=True)
    write_results(nights, folder)
    print((folder / "month.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
