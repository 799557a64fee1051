"""How many threads a Beam worker may use."""

import os
from collections.abc import Sequence

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

_LOCAL_RUNNERS = ("DirectRunner", "BundleBasedDirectRunner", "FnApiRunner", "SwitchingDirectRunner")


def worker_threads(beam_args: Sequence[str]) -> int:
    """All cores where Beam runs on this machine in one worker; elsewhere Beam's workers are the parallelism."""
    options = PipelineOptions(list(beam_args))
    runner = options.view_as(StandardOptions).runner or "DirectRunner"
    if runner.rpartition(".")[2] not in _LOCAL_RUNNERS or options.view_as(DirectOptions).direct_num_workers != 1:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
