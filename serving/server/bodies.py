"""A limit on the request bodies that are in memory at a time, over both protocols."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.errors import Code, RequestError

MOST_BYTES = 1 << 30


class Bodies:
    """The sum of the bodies that arrive or are answered now."""

    def __init__(self, most: int = MOST_BYTES):
        self._most = most
        self._held = 0
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[Callable[[int], None]]:
        """Yields a function by which a request adds bytes, which are given back at the end.

        That function raises RequestError, UNAVAILABLE, where the sum would be above the limit.
        """
        own = 0

        def add(size: int) -> None:
            nonlocal own
            with self._lock:
                if self._held + size > self._most:
                    raise RequestError(
                        Code.UNAVAILABLE, f"The requests in progress have {self._most} bytes together: try again later"
                    )
                self._held += size
                own += size

        try:
            yield add
        finally:
            with self._lock:
                self._held -= own
