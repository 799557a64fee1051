"""Commands around pushed models."""

from typing import Annotated

import typer

from pipeline import environment
from pipeline.cli_common import ConfigFile, Overrides, Verbose, end_with, errors_told


def versions(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """List the pushed versions: which is served, which was withdrawn, what each came from."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.versions_job import run_versions_job

        end_with(run_versions_job(load_config(config, overrides or []), as_json))


def rollback(
    config: ConfigFile,
    to: Annotated[
        int | None, typer.Option("--to", metavar="VERSION", help="The version to go back to; default: the one before.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Is recorded with the rollback.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also to a version that was withdrawn itself.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Serve an older version again: publish a copy of it as the newest, and withdraw the model that was served.

    Runs do not push a withdrawn model again, and judge new ones against the model that is served.
    """
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.versions_job import run_rollback_job

        end_with(run_rollback_job(load_config(config, overrides or []), to, reason, force, verbose))


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(versions)
    app.command()(rollback)
