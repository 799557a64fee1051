"""The work of `janus runs`, which changes nothing."""

import sys

from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.run.display import console_on


def run_runs_job(config: JanusConfig, limit: int | None = 20, as_json: bool = False) -> int:
    """Prints a pipeline's runs, newest first, and returns the exit code."""
    from pipeline.commands.runs.listing import list_runs
    from pipeline.commands.runs.view import runs_view

    found = list_runs(Home(config.name), limit)
    if as_json:
        print(found.model_dump_json(indent=2))
    else:
        console_on(sys.stdout).print(runs_view(found))
    return 0
