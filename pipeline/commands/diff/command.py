"""The command line of `janus diff`, which changes nothing."""

from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def diff(
    config: ConfigFile,
    run_a: Annotated[
        str | None, typer.Argument(metavar="RUN_A", help="A run's id, or its report.json; default: the last but one.")
    ] = None,
    run_b: Annotated[
        str | None, typer.Argument(metavar="RUN_B", help="The same, to compare with it; default: the newest.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Show how a run differs from another: configuration, code, libraries, data statistics, metrics.

    Example:

        janus diff configs/orders.yaml
    """
    from pipeline.commands.diff.difference import compare_runs, find_runs
    from pipeline.commands.diff.view import difference_view
    from pipeline.commands.output import print_result
    from pipeline.home import Home

    difference = compare_runs(*find_runs(Home(load(config, overrides).name), run_a, run_b))
    return print_result(difference, as_json, difference_view)
