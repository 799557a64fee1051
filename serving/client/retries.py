"""Which requests are sent again, and how often."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from serving.errors import Code, RequestError

T = TypeVar("T")

PASSING = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED})
"""Errors after which another attempt may succeed. Predictions change nothing, so that they may be repeated."""

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class Policy:
    """How often and how long a client tries.

    Attributes:
        deadline_seconds: for a request with all its attempts.
        retries: attempts after the first.
        sleep: pauses for some seconds.
        clock: the time in seconds.
        draw: a random number in [0, 1).
    """

    deadline_seconds: float = 10.0
    retries: int = 4
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random

    def call(self, attempt: Callable[[float], T]) -> T:
        """Calls `attempt` until it succeeds, with pauses that double, and vary so that clients do not retry together.

        Args:
            attempt: is called with the seconds that are left.

        Raises:
            RequestError: the error of the last attempt, if another one cannot help or there is no time for it.
        """
        started = self.clock()
        end = started + self.deadline_seconds
        for number in range(self.retries + 1):
            try:
                return attempt(max(end - self.clock(), 0.001))
            except RequestError as error:
                pause = min(FIRST_PAUSE_SECONDS * 2**number, LONGEST_PAUSE_SECONDS) * (0.5 + self.draw() / 2)
                last = number == self.retries or self.clock() + pause >= end
                if error.code not in PASSING or (last and number == 0):
                    raise
                if last:
                    spent = self.clock() - started
                    raise RequestError(
                        error.code, f"{error} (the last of {number + 1} attempts in {spent:.1f} s)"
                    ) from error
            self.sleep(pause)
        raise AssertionError("the last attempt returns or raises")
