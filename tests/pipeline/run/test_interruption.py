"""Ctrl-C, whatever the libraries make of it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from janus_core.progress import ComponentEvent, announce, listening
from pipeline.run.interruption import interruptible
from pipeline.run.record import RunRecord


def never(exit_code: int) -> None:
    """Must not be called."""
    raise AssertionError(exit_code)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_request_is_raised_and_remembered(number: int, exit_code: int) -> None:
    before = signal.getsignal(number)
    with interruptible(never) as interruption:
        assert interruption.exit_code == 0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        # Delivered twice, as `timeout` does.
        signal.raise_signal(number)
        assert interruption.exit_code == exit_code
    assert signal.getsignal(number) == before


def test_a_request_that_was_swallowed_stops_the_next_component() -> None:
    with interruptible(never) as interruption, listening(interruption, RunRecord()):
        announce(ComponentEvent("Transform", "running"))
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        announce(ComponentEvent("Transform", "complete"))
        with pytest.raises(KeyboardInterrupt):
            announce(ComponentEvent("Trainer", "running"))


STUCK = """
import time
from pipeline.run import interruption
interruption.GRACE_SECONDS = 0.3
with interruption.interruptible(lambda exit_code: print("written", exit_code, flush=True)):
    said = False
    while True:
        try:
            if not said:
                said = True
                print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass
"""


def test_what_does_not_stop_is_ended_after_a_while() -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        started = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.read() == "written 130\n"
        assert process.wait(10) == 130
        assert time.monotonic() - started < 8
