"""The command line, as far as it gets without TFX."""

import inspect
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from tests.pipeline.small import small_raw

HEAVY = ("tensorflow", "tfx", "apache_beam", "pandas", "keras", "pyarrow", "pydantic")


def janus(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, pipeline.cli\n"
        "try: pipeline.cli.app(['--help'])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr == "[]\n"
    assert "schema-of-config" in result.stdout


def leaves(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command that does something, with its words."""
    for name, found in group.commands.items():
        # Newer versions of Typer bring a Click of their own.
        if hasattr(found, "commands"):
            yield from leaves(found, *names, name)
        else:
            yield (*names, name), found


COMMANDS = dict(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_that_can_be_typed(words: tuple[str, ...]) -> None:
    code, out, _ = janus(*words, "--help")
    assert code == 0
    assert "Example:" in out
    text = inspect.cleandoc(COMMANDS[words].help or "").partition("Example:")[2].replace("\\\n", " ")
    examples = [shlex.split(line.partition(" > ")[0]) for line in text.splitlines() if line.strip()]
    assert examples
    for program, *given in examples:
        assert (program, tuple(given[: len(words)])) == ("janus", words)
        COMMANDS[words].make_context(words[-1], given[len(words) :])


def test_the_modules_name_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "pipeline", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("janus ")


@pytest.mark.parametrize("arguments", [["run"], ["walk"], ["run", "x.yaml", "--fast"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert janus(*arguments)[0] == 2


def test_a_missing_configuration_ends_with_2_and_no_traceback(tmp_path: Path) -> None:
    code, out, err = janus("run", str(tmp_path / "none.yaml"))
    assert (code, out) == (2, "")
    assert err == f"error: no configuration file {tmp_path / 'none.yaml'}.\n"


def test_a_wrong_key_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**small_raw(tmp_path), "trainning": {}}))
    code, _, err = janus("run", str(path))
    assert code == 2
    assert "trainning: unknown key. Did you mean 'training'?" in err


def test_overrides_are_checked_as_well(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small_raw(tmp_path)))
    code, _, err = janus("report", str(path), "--set", "training.epochs=many")
    assert code == 2
    assert "training.epochs" in err


def test_there_is_no_report_before_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small_raw(tmp_path)))
    code, _, err = janus("report", str(path))
    assert code == 2
    assert "no report yet" in err


def test_the_configurations_schema_is_json() -> None:
    code, out, _ = janus("schema-of-config")
    assert code == 0
    assert {"features", "tasks", "push"} <= set(json.loads(out)["properties"])


def test_a_refused_run_ends_with_an_event_for_machines(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("nmae: x\n")
    code, out, err = janus("run", str(wrong), "--json")
    assert code == 2
    event = json.loads(out)
    assert (event["event"], event["exit_code"], event["report"]) == ("run_ended", 2, None)
    assert "nmae" in event["problems"][0]
    assert err.startswith("error: ")
