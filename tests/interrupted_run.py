"""`janus` that is interrupted, as by ctrl-C, in the component and after the seconds that its first arguments name.

A delay of -1 stands for the middle of the copy that the Pusher makes.
"""

import logging
import os
import signal
import sys
import threading
from pathlib import Path

from components.pusher import local
from janus_core.progress import PROGRESS, ComponentEvent, event_of
from pipeline.cli import main


def interrupt() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


class InterruptOnStart(logging.Handler):
    """Starts the clock with the component."""

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if (
            isinstance(event, ComponentEvent)
            and (event.component, event.state) == (component, "running")
            and delay >= 0
        ):
            threading.Timer(delay, interrupt).start()


def sync_and_interrupt(path: Path) -> None:
    """What `publish` calls once it has copied the files."""
    os.kill(os.getpid(), signal.SIGINT)


component, delay = sys.argv[1], float(sys.argv[2])
if delay < 0:
    local.sync_tree = sync_and_interrupt
PROGRESS.addHandler(InterruptOnStart())
sys.argv = ["janus", *sys.argv[3:]]
main()
