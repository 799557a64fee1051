"""Threads within a Beam worker: Beam's own start a worker each, and its in-memory mode, the default, has one."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

_LOCAL_RUNNERS = ("DirectRunner", "BundleBasedDirectRunner", "FnApiRunner", "SwitchingDirectRunner")


class Threaded(beam.DoFn):
    """Calls `function(element, *sides)` for a bundle's elements in several threads.

    This is faster where the function spends its time without Python's lock, as in Arrow, TensorFlow and zlib.
    """

    def __init__(self, function: Callable[..., Any], threads: int):
        self._function = function
        self._threads = threads
        self._running: set[Future[Any]] = set()

    def setup(self) -> None:
        """Called by Beam."""
        self._pool = ThreadPoolExecutor(self._threads)

    def process(self, element: Any, *sides: Any) -> Iterator[Any]:
        """Called by Beam."""
        # No queue builds up: an interrupted run ends when the elements in work are done.
        while len(self._running) >= self._threads:
            yield from self._finished(FIRST_COMPLETED)
        self._running.add(self._pool.submit(self._function, element, *sides))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Called by Beam. Raises what the function raised."""
        for result in self._finished(ALL_COMPLETED):
            yield WindowedValue(result, GlobalWindow().max_timestamp(), [GlobalWindow()])

    def teardown(self) -> None:
        """Called by Beam."""
        self._pool.shutdown()

    def _finished(self, how: str) -> list[Any]:
        done, self._running = wait(self._running, return_when=how)
        return [future.result() for future in done]


def worker_threads(beam_args: Sequence[str]) -> int:
    """All cores where Beam runs on this machine in one worker; elsewhere Beam's workers are the parallelism."""
    options = PipelineOptions(list(beam_args))
    runner = options.view_as(StandardOptions).runner or "DirectRunner"
    if runner.rpartition(".")[2] not in _LOCAL_RUNNERS or options.view_as(DirectOptions).direct_num_workers != 1:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
