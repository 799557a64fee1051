"""The command line of `janus runs`, which changes nothing."""

from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def runs(
    config: ConfigFile,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many of the newest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """List the runs, newest first: how each ended, what it measured, which version it pushed.

    Example:

        janus runs configs/orders.yaml
    """
    from pipeline.commands.output import print_result
    from pipeline.commands.runs.listing import list_runs, runs_view
    from pipeline.home import Home

    return print_result(list_runs(Home(load(config, overrides).name), limit), as_json, runs_view)
