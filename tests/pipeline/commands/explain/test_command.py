"""`janus explain` and `janus tensorboard`, as far as it is Janus that works."""

import os
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from janus_core.errors import ConfigError
from pipeline.cli import app
from pipeline.commands.tensorboard import log_folder, tensorboard_command, trainings_of
from pipeline.home import Home
from tests.pipeline.small import small_raw


def janus(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_explain_shows_a_keys_type_default_and_limits() -> None:
    code, out, _ = janus("explain", "tasks.late.loss_weight")
    assert code == 0
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "tasks.*.loss_weight",
        "This task's factor in the total loss.",
        "type number",
        "allowed ≥ 0",
        "default 1",
    ]


def test_explain_shows_each_meaning_of_a_key() -> None:
    _, out, _ = janus("explain", "tasks.*.loss")
    assert "only with regression" in out
    assert "mse, mae, huber, quantile" in out
    assert "only with ordinal" in out


def test_explain_shows_a_sections_kinds_and_keys() -> None:
    _, out, _ = janus("explain", "model.trunk")
    assert "kind: mmoe" in out
    assert "Experts that all tasks share, and a gate per task." in out
    assert "[128, 64]" in out
    assert "task_experts" in out


def test_explain_shows_what_is_in_a_mapping() -> None:
    _, out, _ = janus("explain", "features")
    assert "kind: categorical" in out
    assert "oov_buckets" in out


def test_explain_alone_lists_the_sections() -> None:
    code, out, _ = janus("explain")
    assert code == 0
    assert all(name in out for name in ("tasks", "push", "kubeflow"))


def test_explain_ends_with_2_for_an_unknown_key() -> None:
    code, out, err = janus("explain", "model.trunks")
    assert (code, out) == (2, "")
    assert err.startswith("error: model.trunks: unknown key. Did you mean 'model.trunk'?")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration file, in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small_raw(tmp_path)), encoding="utf-8")
    return str(path)


def write_logs(execution: str, time: int) -> None:
    file = log_folder(Home("small")) / execution / "train" / "events.out.tfevents.1"
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(file, (time, time))


@pytest.mark.usefixtures("config")
def test_the_newest_training_comes_first() -> None:
    write_logs("7", 2_000_000)
    write_logs("17", 1_000_000)
    (log_folder(Home("small")) / "28").mkdir()
    assert [name for _, name in trainings_of(Home("small"))] == ["7", "17"]


@pytest.mark.usefixtures("config")
def test_without_logs_it_says_how_there_come_some() -> None:
    with pytest.raises(ConfigError, match="pipeline 'small' has no training logs in .*: start it with `janus run"):
        trainings_of(Home("small"))


def test_tensorboard_takes_this_processs_place(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: started.append((path, arguments)))
    write_logs("7", 2_000_000)
    code, _, err = janus("tensorboard", config, "--port", "0")
    assert code == 0
    assert err.startswith("training 7: 1970-01-2")
    assert started == [(sys.executable, tensorboard_command(Home("small"), "localhost", 0))]
    assert str(Path("runs", "small", "root", "Trainer", "model_run")) in started[0][1]


def test_tensorboard_without_logs_ends_with_2(config: str) -> None:
    code, _, err = janus("tensorboard", config)
    assert code == 2
    assert "has no training logs" in err
