"""Whole runs of `janus run` that are killed, have no room, or find damaged results of the run before."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from components.pusher.identity import identity_of
from tests.chaos.finding import Finding
from tests.pipeline.small import small_raw, write_table

ROWS = 400
LONGEST = 1800.0
FULL = "ulimit -f {kilobytes}; exec "
"""Of the shell: no file of the command may be larger."""
SAME_OPERATIONS = ("saved_model.pb", "fingerprint.pb")
"""Their bytes differ between two trainings, as TensorFlow numbers functions by a counter of the process; see
components/pusher/identity.py."""


@dataclass(frozen=True)
class Reference:
    """A run that nothing disturbed.

    Attributes:
        folder: its working folder.
        model: name → content of what it pushed, but for SAME_OPERATIONS.
        identity: of the whole model.
        metrics: of report.json, per task.
        seconds: it took.
    """

    folder: Path
    model: dict[str, bytes]
    identity: str
    metrics: dict[str, Any]
    seconds: float


def reference(folder: Path) -> Reference:
    """Runs once, in a new folder."""
    write_table(folder, rows=ROWS)
    report = {"baselines": [], "importance_rows": 0, "sample": 100}
    raw = small_raw(Path(), push={"path": "pushed"}, report=report, serving={"check_rows": 8, "warmup_rows": 2})
    (folder / "small.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    started = time.monotonic()
    done = janus(folder)
    if done.returncode:
        raise RuntimeError(f"the undisturbed run ended with {done.returncode}: {done.stderr}")
    model, identity = pushed(folder)
    return Reference(folder, model, identity, _metrics(folder), time.monotonic() - started)


def janus(folder: Path, *more: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the pipeline to its end."""
    command = _command(more)
    if before:
        command = ["bash", "-c", before + '"$@"', "bash", *command]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST, check=False)


def pushed(folder: Path) -> tuple[dict[str, bytes], str]:
    """The files of the newest version, but for SAME_OPERATIONS, and the identity of the whole."""
    newest = max(_versions(folder), key=lambda path: int(path.name))
    files = {str(path.relative_to(newest)): path for path in sorted(newest.rglob("*")) if path.is_file()}
    content = {name: b"" if name in SAME_OPERATIONS else path.read_bytes() for name, path in files.items()}
    return content, identity_of(newest)


def kills(folder: Path, rounds: int, random: Random, usual: Reference) -> Finding:
    """SIGKILL at a random moment of a first run, then a run to its end."""
    finding = Finding("SIGKILL during a run")
    for number in range(rounds):
        place = _fresh(folder / f"killed-{number}", usual)
        with subprocess.Popen(_command(), cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(random.uniform(0.1, 1.0) * usual.seconds)
                finding.ends["done before"] += 1
            except subprocess.TimeoutExpired:
                process.kill()
                finding.ends["killed"] += 1
        finding.rounds += 1
        _check_visible(finding, place, usual)
        _recover(finding, place, usual)
    return finding


def full_disks(folder: Path, rounds: int, random: Random, usual: Reference) -> Finding:
    """A run that cannot write files above a random size, then one that can."""
    finding = Finding("full disk during a run")
    largest = max(path.stat().st_size for path in usual.folder.rglob("*") if path.is_file()) // 1024
    for number in range(rounds):
        place = _fresh(folder / f"full-{number}", usual)
        kilobytes = int(largest ** random.uniform(0, 1))
        done = janus(place, before=FULL.format(kilobytes=kilobytes))
        finding.rounds += 1
        finding.ends[f"exit {done.returncode}"] += 1
        _check_message(finding, done, f"no file above {kilobytes} kB")
        _check_visible(finding, place, usual)
        _recover(finding, place, usual)
    return finding


def damages(folder: Path, rounds: int, random: Random, usual: Reference) -> Finding:
    """A cached result that is cut, changed or gone; then a run that needs it, as an edit of the gates does."""
    finding = Finding("damaged result of an earlier run")
    for number in range(rounds):
        place = folder / f"damaged-{number}"
        shutil.copytree(usual.folder, place, symlinks=True)
        root = place / "runs/small/root"
        files = sorted(path for path in root.rglob("*") if path.is_file() and "model_run" not in path.parts)
        path = random.choice(files)
        how = _damage(path, random)
        what = f"{how} {path.relative_to(root)}"
        done = janus(place, "--set", "evaluation.gates.delay.mae.max=999")
        finding.rounds += 1
        finding.ends[f"exit {done.returncode}"] += 1
        _check_message(finding, done, what)
        _check_visible(finding, place, usual)
        _recover(finding, place, usual, what)
    return finding


def _fresh(place: Path, usual: Reference) -> Path:
    place.mkdir(parents=True)
    shutil.copytree(usual.folder / "data", place / "data")
    shutil.copy(usual.folder / "small.yaml", place)
    return place


def _command(more: Sequence[str] = ()) -> list[str]:
    return [sys.executable, "-m", "pipeline", "run", "small.yaml", *more]


def _versions(folder: Path) -> list[Path]:
    return [path for path in (folder / "pushed").glob("[0-9]*") if path.is_dir()]


def _metrics(folder: Path) -> dict[str, Any]:
    report = json.loads((folder / "runs/small/latest/report.json").read_text(encoding="utf-8"))
    return {name: (task["metrics"], task["slices"]) for name, task in report["tasks"].items()}


def _check_visible(finding: Finding, place: Path, usual: Reference) -> None:
    for version in _versions(place):
        missing = [name for name in usual.model if not (version / name).is_file()]
        if missing:
            finding.violated("half", f"{place.name}/{version.name} lacks {missing}")


def _check_message(finding: Finding, done: subprocess.CompletedProcess[str], what: str) -> None:
    if done.returncode < 0 or (done.returncode and not done.stderr.strip()):
        finding.violated("unclear", f"{what}: exit code {done.returncode}")
    elif "not expected" in done.stderr or "Traceback" in done.stderr:
        finding.violated("unclear", f"{what}: {done.stderr[-600:]}")


def _recover(finding: Finding, place: Path, usual: Reference, what: str = "") -> None:
    """The next run pushes the model that the undisturbed one has pushed, and leaves nothing unfinished behind."""
    done = janus(place)
    if done.returncode:
        finding.violated("dead", f"{what}: the next run ended with {done.returncode}: {done.stderr[-600:]}")
        return
    (model, identity), metrics = pushed(place), _metrics(place)
    other = sorted(name for name in {*model, *usual.model} if model.get(name) != usual.model.get(name))
    other += ["operations"] if identity != usual.identity else []
    if other or metrics != usual.metrics:
        finding.violated("other", f"{what}: files {other}, metrics {'equal' if metrics == usual.metrics else 'others'}")
    left = list(place.rglob(".staging-*"))
    if left:
        finding.violated("dead", f"left behind: {[str(path.relative_to(place)) for path in left]}")
    shutil.rmtree(place)


def _damage(path: Path, random: Random) -> str:
    content = path.read_bytes()
    kind = random.choice(["cut", "changed", "removed"])
    if kind == "removed":
        path.unlink()
    elif kind == "cut" or not content:
        path.write_bytes(content[: random.randrange(max(1, len(content)))])
    else:
        at = random.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    return kind
