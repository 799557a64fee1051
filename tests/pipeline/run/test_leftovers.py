"""What a killed run leaves, and the next one removes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from pipeline.home import Home
from pipeline.lineage.store import executions_of_run, open_store
from pipeline.run.leftovers import remove_leftovers
from tests.pipeline.run.test_runner import MakeModel, run_of, states


@component
def KilledModel(  # noqa: N802 - a component's name
    model: OutputArtifact[standard_artifacts.Model],
) -> None:
    """Writes a part of its output, and is killed."""
    Path(model.uri).mkdir(parents=True, exist_ok=True)
    (Path(model.uri) / "half").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def run_and_be_killed(home: Home) -> None:
    """In a process of its own."""
    script = (
        "from pathlib import Path; from tests.pipeline.run import test_leftovers as t; "
        f"t.run_of([t.MakeModel(size=1).with_id('Trainer'), t.KilledModel().with_id('Killed')], "
        f"Path({str(home.folder)!r}), 'killed')"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, env={**os.environ, "PYTHONPATH": _PROJECT})
    assert done.returncode == -signal.SIGKILL


_PROJECT = str(Path(__file__).parents[3])


def folders(home: Home) -> set[str]:
    return {str(path.relative_to(home.root)) for path in home.root.rglob("*") if path.is_dir()}


@pytest.mark.slow
def test_nothing_stays_of_a_killed_run(home: Home) -> None:
    run_and_be_killed(home)
    (killed,) = [e for e in open_store(home.metadata).get_executions() if e.last_known_state == pb.Execution.RUNNING]
    assert f"Killed/model/{killed.id}" in folders(home)
    assert f"Killed/.system/executor_execution/{killed.id}/.temp" in folders(home)
    (home.folder / ".staging-99999999-0123abcd-latest").touch()

    with home.lock():
        remove_leftovers(home)
    found = executions_of_run(open_store(home.metadata), "killed")
    assert (found["Trainer"].complete, found["Killed"].complete, found["Killed"].failed) == (True, False, True)
    assert found["Killed"].message == "its run was killed"
    model = found["Trainer"].output("model")
    assert model is not None
    assert (Path(model.uri) / "model").read_text() == "1"
    assert folders(home) == {
        "Trainer",
        "Trainer/model",
        f"Trainer/model/{found['Trainer'].id}",
        "Killed",
        "Killed/model",
    }
    assert not list(home.folder.glob(".staging-*"))

    again = run_of([MakeModel(size=1).with_id("Trainer")], home.folder, "again")
    assert states(again) == {"Trainer": ("complete", True)}, "what was complete is still in the cache"


def test_a_home_without_runs(home: Home) -> None:
    remove_leftovers(home)
    open_store(home.metadata)
    remove_leftovers(home)
