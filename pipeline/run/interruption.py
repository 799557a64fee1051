"""Ends a run on ctrl-C, also where the libraries catch the interruption."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from janus_core.errors import FIRST_SIGNAL
from janus_core.progress import ComponentEvent, event_of

GRACE_SECONDS = 3.0
"""What is interrupted may take this long to clean up; then the process ends without it."""


class Interruption(logging.Handler):
    """Whether the user asked for an end, by ctrl-C or by a request to terminate.

    KeyboardInterrupt is raised, as Python does; but Beam turns it into another exception, and TensorFlow may lose it.
    So the request is remembered, no further component starts after it, and a clock runs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.signal = 0

    @property
    def exit_code(self) -> int:
        """As shells expect it of an interrupted process; 0 if there was no request."""
        return FIRST_SIGNAL + self.signal if self.signal else 0

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging: ends the run before its next component."""
        event = event_of(record)
        if self.signal and isinstance(event, ComponentEvent) and event.state == "running":
            raise KeyboardInterrupt


@contextmanager
def interruptible(end_now: Callable[[int], None]) -> Iterator[Interruption]:
    """Listens for requests to end.

    Args:
        end_now: writes what must be written; called from another thread with the exit code, if the run has not ended
            by itself within GRACE_SECONDS. The process ends after it.
    """
    interruption = Interruption()
    requested = 0.0

    def force() -> None:
        try:
            end_now(interruption.exit_code)
        finally:
            os._exit(interruption.exit_code)

    timer = threading.Timer(GRACE_SECONDS, force)
    timer.daemon = True

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        if interruption.signal:
            # Shells and `timeout` may deliver one request twice; only a later one is a second request.
            if time.monotonic() - requested > 1.0:
                force()
            return
        interruption.signal, requested = number, time.monotonic()
        timer.start()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
