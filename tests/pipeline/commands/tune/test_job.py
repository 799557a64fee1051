"""Whole tunings of a small table: in one process and several, killed, and used by a run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.commands.tune.result import Tuning
from pipeline.config.file import load_config
from pipeline.report.outcome import read_history
from tests.pipeline.small import small_raw, write_table

SPACE = {
    "training.learning_rate": {"min": 0.003, "max": 0.1, "scale": "log"},
    "training.batch_size": {"min": 16, "max": 64},
    "model.trunk.units": {"choices": [[16], [16, 8]]},
    "tasks.delay.loss": {"choices": ["mse", "mae"]},
}
NAME = "small.yaml"


def write_files(folder: Path) -> None:
    write_table(folder, rows=600)
    raw = small_raw(Path(), training={"epochs": 3, "batch_size": 32}, seed=3)
    raw["push"] = {"path": "pushed"}
    raw["tune"] = {"trials": 3, "space": SPACE}
    (folder / NAME).write_text("# Mine.\n" + yaml.safe_dump(raw, sort_keys=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a table, the same for all tests of this module."""
    folder = tmp_path_factory.mktemp("tune")
    write_files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Nothing here depends on the sources, which may be edited while the tests run.
        patch.setattr("pipeline.dag.source_fingerprint", lambda *paths: str(len(paths)))
        # All commands here begin in one second, as on a fast machine; each has a run of its own nevertheless.
        patch.setattr("pipeline.run.part.now", lambda: "2026-12-01T12-00-00")
        yield folder


def tune(*options: str) -> Tuning:
    done = CliRunner().invoke(app, ["tune", NAME, *options, "--json"])
    assert done.exit_code == 0, done.output
    return result(Path())


def result(folder: Path) -> Tuning:
    return Tuning.model_validate_json((folder / "runs/small/tune/tune.json").read_text())


def scores(tuning: Tuning) -> list[tuple[dict[str, Any], float | None]]:
    return [(trial.values, trial.score) for trial in tuning.trials]


def best_loss_of_the_run() -> float:
    report = json.loads(Path("runs/small/latest/report.json").read_text())
    assert report["exit_code"] == 0
    (newest,) = sorted(Path("runs/small", "root", "Trainer/model_run").iterdir(), key=lambda path: int(path.name))[-1:]
    return min(epoch["val_balanced_loss"] for epoch in read_history(str(newest)))


@pytest.fixture(scope="module")
def tuned(folder: Path) -> Tuning:
    """Three trials."""
    return tune()


@pytest.mark.slow
def test_a_tuning_is_written_whole(tuned: Tuning) -> None:
    assert [trial.number for trial in tuned.trials] == [1, 2, 3]
    first, best = tuned.trials[0], tuned.trials[tuned.best - 1]
    assert best.score == min(trial.score for trial in tuned.trials if trial.score is not None)
    assert tuned.gain == pytest.approx((first.score or 0) - (best.score or 0))
    assert tuned.gain > 0
    assert {key: change.after for key, change in tuned.changes.items()} == {
        key: value for key, value in best.values.items() if value != first.values[key]
    }
    assert all(0 < trial.losses[task] < 2 for trial in tuned.trials for task in ("late", "delay"))
    written = yaml.safe_load(Path("runs/small/tune/best.yaml").read_text())
    assert written["training"]["learning_rate"] == best.values["training.learning_rate"]
    assert Path("runs/small/tune/tune.png").read_bytes().startswith(b"\x89PNG")
    assert not list(Path("runs/small/tune/states").glob("*/checkpoints"))
    assert f"+  learning_rate: {best.values['training.learning_rate']}" in tuned.diff
    assert f"--set training.learning_rate={best.values['training.learning_rate']}" in tuned.command


@pytest.mark.slow
def test_a_run_that_uses_it_trains_the_best_values(tuned: Tuning) -> None:
    # The loss of the best is the trial's own only where the tasks' losses are the configuration's.
    space = {key: range_ for key, range_ in SPACE.items() if key != "tasks.delay.loss"}
    options = ["--set", f"tune.space={json.dumps(space)}", "--set", "tune.use=true"]
    alone = tune(*options)
    assert CliRunner().invoke(app, ["run", NAME, *options]).exit_code == 0
    report = json.loads(Path("runs/small/latest/report.json").read_text())
    assert report["components"]["Tuner"]["cached"]
    best = alone.trials[alone.best - 1]
    assert best_loss_of_the_run() == pytest.approx(best.score, rel=1e-6)
    config = yaml.safe_load(Path("runs/small/latest/config.yaml").read_text())
    assert config["training"]["learning_rate"] == best.values["training.learning_rate"]
    assert CliRunner().invoke(app, ["run", NAME]).exit_code == 0
    assert best_loss_of_the_run() == pytest.approx(alone.trials[0].score, rel=1e-6), "the first is as it stands"


@pytest.mark.slow
def test_the_best_is_written_into_the_file(tuned: Tuning) -> None:
    before = Path(NAME).read_text()
    try:
        assert tune("--write").changes == tuned.changes
        after = Path(NAME).read_text()
        assert after.startswith("# Mine.\n")
        assert load_config(NAME).training.learning_rate == tuned.changes["training.learning_rate"].after
    finally:
        Path(NAME).write_text(before)


@pytest.mark.slow
def test_workers_share_the_trials(tuned: Tuning) -> None:
    parallel = tune("--trials", "5", "--workers", "2", "--set", "seed=4")
    assert [trial.number for trial in parallel.trials] == [1, 2, 3, 4, 5]
    assert all(trial.score is not None for trial in parallel.trials)
    assert len({json.dumps(trial.values) for trial in parallel.trials}) == 5


@pytest.mark.slow
def test_a_tuning_without_a_section_or_time_is_refused(folder: Path, tuned: Tuning) -> None:
    raw = yaml.safe_load(Path(NAME).read_text())
    del raw["tune"]
    Path("none.yaml").write_text(yaml.safe_dump(raw))
    done = CliRunner().invoke(app, ["tune", "none.yaml"])
    assert done.exit_code == 2
    assert "none.yaml has no `tune` section" in done.output
    done = CliRunner().invoke(app, ["tune", NAME, "--minutes", "0.0001", "--set", "seed=5"])
    assert done.exit_code == 1
    assert "no trial ended in time" in done.output


@pytest.mark.slow
def test_a_killed_tuning_continues(tuned: Tuning, tmp_path: Path) -> None:
    write_files(tmp_path)
    command = [sys.executable, "-m", "pipeline", "tune", NAME]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("runs/small/tune/states/*/trial_1/trial.json")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "runs/small/tune/tune.json").exists()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "trial 1/3" not in done.stdout
    assert "trial 3/3" in done.stdout
    assert scores(result(tmp_path)) == scores(tuned)
