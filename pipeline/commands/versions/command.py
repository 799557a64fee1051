"""The command lines of `janus versions` and `janus rollback`."""

from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def versions(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """List the pushed versions: which is served, which was withdrawn, what each came from.

    Example:

        janus versions configs/orders.yaml
    """
    from pipeline.commands.output import print_result
    from pipeline.commands.versions.listing import list_versions, listing_view
    from pipeline.home import Home

    loaded = load(config, overrides)
    return print_result(list_versions(loaded, Home(loaded.name)), as_json, listing_view)


@command
def rollback(
    config: ConfigFile,
    to: Annotated[
        int | None, typer.Option("--to", metavar="VERSION", help="The version to go back to; default: the one before.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Is recorded with the rollback.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also to a version that was withdrawn itself.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Serve an older version again: publish a copy of it as the newest, and withdraw the model that was served.

    Runs do not push a withdrawn model again, and judge new ones against the model that is served.

    Example:

        janus rollback configs/orders.yaml --reason 'too many false alarms'
    """
    from pipeline.commands.versions.job import run_rollback_job

    return run_rollback_job(load(config, overrides), to, reason, force, verbose)
