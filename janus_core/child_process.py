"""What a process does that must not outlive the one that started it."""

import os
import threading
from collections.abc import Callable


def run_with_parent(work: Callable[[], None]) -> None:
    """Runs `work` and exits with 0, or with 1 as soon as standard input is closed, as when the parent process ends.

    An error of `work` is raised.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work()
    # The thread above is still reading, so that a regular exit would wait for it, and abort.
    os._exit(0)


def _end_with_parent() -> None:
    # Not sys.stdin: this thread would still hold its lock when the interpreter exits, which would abort.
    while os.read(0, 1):
        pass
    os._exit(1)
