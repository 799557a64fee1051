"""What is set before TensorFlow is imported, and where the libraries' output goes."""

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from pipeline import environment


def test_keras_3_is_chosen_for_this_process_and_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    environment.prepare()
    code = "import os; print(os.environ['TF_USE_LEGACY_KERAS'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"


def test_the_grammar_that_jsonschema_compiles_is_not_imported() -> None:
    code = """
import sys
from pipeline import environment
environment.prepare()
from kubernetes.dynamic import client
print(client.HAS_KUBERNETES_VALIDATE, sys.modules["rfc3987_syntax"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True None"


def noise() -> None:
    """Speaks in every way that libraries do."""
    print("printed")
    os.write(1, b"from C, out\n")
    os.write(2, b"from C, err\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    logging.getLogger("absl").warning("logged")
    warnings.warn("warned", UserWarning, stacklevel=1)


SOUNDS = ("printed", "from C, out", "from C, err", "from a child", "logged", "warned")


@pytest.mark.filterwarnings("default::UserWarning")
def test_only_what_is_written_to_the_terminal_is_seen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "run" / "run.log"
    print("before")
    with environment.library_output_to(log) as terminal:
        noise()
        print("to the user", file=terminal.out)
        print("an error", file=terminal.err)
    print("after")
    seen = capfd.readouterr()
    assert seen.out == "before\nto the user\nafter\n"
    assert seen.err == "an error\n"
    written = log.read_text()
    assert [sound for sound in SOUNDS if sound not in written] == []
    assert written.count("logged") == 1


def test_all_is_as_before_when_it_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    handlers = logging.getLogger().handlers[:]
    with pytest.raises(KeyboardInterrupt), environment.library_output_to(tmp_path / "run.log"):
        raise KeyboardInterrupt
    os.write(1, b"seen\n")
    assert capfd.readouterr().out == "seen\n"
    assert logging.getLogger().handlers == handlers


def test_verbose_hides_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "run.log"
    with environment.library_output_to(log, verbose=True):
        os.write(2, b"from C, err\n")
        logging.getLogger("absl").warning("logged")
    seen = capfd.readouterr().err
    assert "from C, err" in seen
    assert "logged" in seen
    assert "logged" in log.read_text()
