"""Waits for what another thread does."""

import time
from collections.abc import Callable

from serving.server.manager import ModelManager


def until(holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Returns once it holds; an AssertionError if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def until_available(manager: ModelManager, *versions: int) -> None:
    """Returns once these versions are served."""

    def holds() -> bool:
        states = {status.version: status.state for status in manager.statuses()}
        return all(states.get(version) == "AVAILABLE" for version in versions)

    until(holds, f"versions {versions} are available")
