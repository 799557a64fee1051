"""Commands around pushed models."""

from pathlib import Path
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

        loaded = load_config(config, overrides or [])
        end_with(run_versions_job(loaded, as_json, loaded.serving.deployment.labels.versions()))


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

        loaded = load_config(config, overrides or [])
        labels = loaded.serving.deployment.labels.versions()
        end_with(run_rollback_job(loaded, to, reason, force, verbose, labels))


def deployment(
    config: ConfigFile,
    output: Annotated[
        Path, typer.Option("--output", metavar="FOLDER", help="Where the files go, or are looked for.")
    ] = Path("deploy/serving"),
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 2 if the files are not what they should be.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that were edited by hand.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Write what TensorFlow Serving needs: its configuration files, Docker Compose, Kubernetes' manifest."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.deployment_job import run_deployment_job

        loaded = load_config(config, overrides or [])
        end_with(run_deployment_job(loaded, loaded.serving.deployment, output, check, force))


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(versions)
    app.command()(rollback)
    app.command()(deployment)
