"""Measures the latency of requests."""

import time
from collections.abc import Callable

import numpy as np

from serving.check.findings import Latency

CALLS = {1: 200, 128: 50}
"""Rows of a request → how many requests are measured, if time permits."""

BUDGET_SECONDS = 5.0
"""For one signature and size; a slow model is measured by fewer requests."""

LEAST_CALLS = 5
WARMUP_CALLS = 5


def measure(call: Callable[[int], object], calls: int, budget_seconds: float = BUDGET_SECONDS) -> Latency:
    """The latency of `call`, whose argument is the number of the request.

    Args:
        call: makes one request and waits for the answer.
        calls: the most calls that are measured, after some that are not.
        budget_seconds: after this time, no more than `LEAST_CALLS` are made.
    """
    start = time.perf_counter()
    for number in range(WARMUP_CALLS):
        call(number)
        if time.perf_counter() - start > budget_seconds / 2:
            break
    taken: list[float] = []
    while len(taken) < calls and (len(taken) < LEAST_CALLS or time.perf_counter() - start < budget_seconds):
        before = time.perf_counter()
        call(len(taken))
        taken.append(time.perf_counter() - before)
    p50, p99 = np.percentile(taken, [50, 99]) * 1000
    return Latency(p50_ms=round(float(p50), 3), p99_ms=round(float(p99), 3))
