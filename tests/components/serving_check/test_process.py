"""Processes that end, fail, hang, or take too much."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from components.serving_check.process import Ended, run_limited

ALLOCATE = "block = bytearray(300 << 20); "


def run(folder: Path, code: str, seconds: float = 60, megabytes: float = 1000) -> Ended:
    return run_limited([sys.executable, "-c", code], dict(os.environ), folder / "log", seconds, megabytes)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_process_that_ends_well(tmp_path: Path) -> None:
    ended = run(tmp_path, f"{ALLOCATE}import time; time.sleep(0.3); print('done')")
    assert ended.problem is None
    assert 300 < ended.peak_memory_mb < 400
    assert ended.seconds < 30
    assert (tmp_path / "log").read_text() == "done\n"


def write_pid_of_child(file: Path) -> str:
    """Code that starts a process, writes its pid and waits."""
    sleep = f"[{sys.executable!r}, '-c', 'import time; time.sleep(60)']"
    return (
        f"import pathlib, subprocess, time; child = subprocess.Popen({sleep}); "
        f"pathlib.Path({str(file)!r}).write_text(str(child.pid)); time.sleep(60)"
    )


def assert_ends(child: int) -> None:
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


@pytest.mark.slow
def test_a_process_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    ended = run(tmp_path, write_pid_of_child(tmp_path / "pid"), seconds=1.5)
    assert ended.problem == "was killed after 1.5 s (serving.time_limit_seconds)"
    assert_ends(int((tmp_path / "pid").read_text()))


def test_an_interruption_kills_the_process_with_its_children(tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, write_pid_of_child(tmp_path / "pid"))
    assert_ends(int((tmp_path / "pid").read_text()))


def test_a_process_that_takes_too_much_memory_is_killed(tmp_path: Path) -> None:
    ended = run(tmp_path, f"{ALLOCATE}import time; time.sleep(60)", megabytes=200)
    assert ended.problem is not None
    assert "of memory (serving.memory_limit_mb: 200)" in ended.problem
    assert ended.peak_memory_mb > 200
    assert ended.seconds < 30


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import os; print('worse', flush=True); os.abort()", "was ended by SIGABRT: worse"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV: it printed nothing"),
        ("raise SystemExit('no such model')", "ended with exit code 1: no such model"),
    ],
)
def test_a_process_that_fails(tmp_path: Path, code: str, problem: str) -> None:
    assert run(tmp_path, code).problem == problem


def test_memory_of_this_process_does_not_count(tmp_path: Path) -> None:
    here = bytearray(300 << 20)
    assert run(tmp_path, "import time; time.sleep(0.3)").peak_memory_mb < len(here) / (1 << 20)
