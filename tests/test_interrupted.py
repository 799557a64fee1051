"""Ctrl-C in the middle of each kind of work: one line, exit code 130, nothing half-pushed, and the next run goes on."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from janus_core.packages import PACKAGES
from tests.pipeline.small import small_raw, write_table
from tests.project import copy_sources

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(900)]

BEFORE = {
    "StatisticsGen": {"ExampleGen"},
    "Transform": {"ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "AnomalyGate"},
    "Trainer": {"Transform"},
    "Evaluator": {"Transform", "Trainer"},
    "Pusher": {"Transform", "Trainer", "Evaluator"},
}
"""What must be cached in the run after an interruption in the key."""

NEXT = {
    "StatisticsGen": {"SchemaGen", "Transform"},
    "Transform": {"Trainer"},
    "Trainer": {"Evaluator"},
    "Evaluator": {"ServingCheck", "Pusher"},
}
"""What must not have started then."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the sources, a table and its configuration."""
    copy_sources(tmp_path, *PACKAGES, "tests")
    write_table(tmp_path, rows=2000)
    raw = small_raw(Path(), training={"epochs": 4, "batch_size": 32}, push={"path": "pushed"})
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(raw))
    return tmp_path


def janus(folder: Path, *command: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, *command, "run", "small.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    path = folder / "runs/small/latest/report.json"
    assert path.exists(), done.stderr
    return done, json.loads(path.read_text())


def test_each_interrupted_run_is_continued_by_the_next(folder: Path) -> None:
    must_be_cached: set[str] = set()
    for component, delay in (
        ("StatisticsGen", 0.05),
        ("Transform", 0.3),
        ("Trainer", 1.5),
        ("Evaluator", 0.1),
        ("Pusher", -1.0),
    ):
        done, report = janus(folder, "-m", "tests.interrupted_run", component, str(delay))
        assert done.returncode == 130, (component, done.stdout, done.stderr)
        # TensorFlow may lose a KeyboardInterrupt while it traces or loads a function, and a fast machine may be done by
        # then: the run ends before the next component.
        lost = component in ("Transform", "Evaluator") and report["components"][component]["state"] == "complete"
        problem = "interrupted" if lost else f"interrupted in {component}"
        assert done.stderr == f"{problem}; the next run continues from here\n"
        assert report["exit_code"] == 130
        assert report["problems"] == [problem]
        assert lost or report["components"][component]["state"] == "failed"
        assert not NEXT.get(component, set()) & report["components"].keys(), "nothing starts after an interruption"
        assert report["pushed"] is None
        cached = {name for name, found in report["components"].items() if found["cached"]}
        assert must_be_cached <= cached
        assert [path.name for path in (folder / "pushed").iterdir() if path.name != ".lock"] == []
        must_be_cached = BEFORE[component]

    done, report = janus(folder, "-m", "pipeline")
    assert (done.returncode, done.stderr) == (0, "")
    assert must_be_cached <= {name for name, found in report["components"].items() if found["cached"]}
    assert [path.name for path in (folder / "pushed").glob("[0-9]*")] == [Path(report["pushed"]).name]
