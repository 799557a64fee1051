"""Runs a process with limits on time and memory."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SECONDS_BETWEEN_LOOKS = 0.05
_LOG_BYTES = 2000


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        seconds: how long it ran.
        peak_memory_mb: the most resident memory that was seen; it is read every 50 ms.
        problem: what went wrong, as in "the model's process <problem>"; None if it succeeded.
    """

    seconds: float
    peak_memory_mb: float
    problem: str | None


def run_limited(
    command: Sequence[str], environment: Mapping[str, str], log: Path, time_limit_seconds: float, memory_limit_mb: float
) -> Ended:
    """Runs a command to its end, or kills it and all processes that it started when it exceeds a limit.

    Its standard input stays open and empty as long as this process lives. Its address space is not limited: TensorFlow
    reserves far more of it than it uses.

    Args:
        command: the program and its arguments.
        environment: its whole environment.
        log: the file for its output.
        time_limit_seconds: how long it may run.
        memory_limit_mb: how much resident memory it may use.
    """
    start = time.monotonic()
    peak, problem = 0.0, None
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
        )
        try:
            while problem is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_SECONDS_BETWEEN_LOOKS)
                    break
                peak = max(peak, _peak_memory_mb(process.pid))
                if peak > memory_limit_mb:
                    problem = f"was killed at {peak:.0f} MB of memory (serving.memory_limit_mb: {memory_limit_mb:g})"
                elif time.monotonic() - start > time_limit_seconds:
                    problem = f"was killed after {time_limit_seconds:g} s (serving.time_limit_seconds)"
        finally:
            _kill_group(process)
    if problem is None and process.returncode:
        problem = f"{_ending(process.returncode)}: {_last_line(log)}"
    return Ended(time.monotonic() - start, peak, problem)


def _peak_memory_mb(pid: int) -> float:
    # Not getrusage: its maximum includes the memory of the parent process before exec.
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) / 1024 if sizes else 0.0


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()


def _ending(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
