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
    """List the pushed versions: which is served, which was withdrawn, what each came from."""
    from pipeline.commands.versions.job import run_versions_job

    loaded = load(config, overrides)
    return run_versions_job(loaded, as_json, loaded.serving.deployment.labels.versions())


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
    """
    from pipeline.commands.versions.job import run_rollback_job

    loaded = load(config, overrides)
    labels = loaded.serving.deployment.labels.versions()
    return run_rollback_job(loaded, to, reason, force, verbose, labels)
