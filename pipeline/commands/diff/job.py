"""The work of `janus diff`, which changes nothing."""

import sys

from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.run.display import console_on


def run_diff_job(config: JanusConfig, a: str | None = None, b: str | None = None, as_json: bool = False) -> int:
    """Prints how run B differs from run A, and returns the exit code.

    Raises:
        ConfigError: there is no such run, or it left no report.
        JanusError: the metadata database or a kept configuration cannot be read.
    """
    from pipeline.commands.diff.difference import compare_runs, find_runs
    from pipeline.commands.diff.view import difference_view

    found = compare_runs(*find_runs(Home(config.name), a, b))
    if as_json:
        print(found.model_dump_json(indent=2))
    else:
        console_on(sys.stdout).print(difference_view(found))
    return 0
