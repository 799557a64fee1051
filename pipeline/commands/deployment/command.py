"""The command line of `janus deployment`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
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
) -> int:
    """Write what TensorFlow Serving needs: its configuration files, Docker Compose, Kubernetes' manifest.

    Example:

        janus deployment configs/orders.yaml --check
    """
    from pipeline.commands.deployment.job import run_deployment_job

    loaded = load(config, overrides)
    return run_deployment_job(loaded, loaded.serving.deployment, output, check, force)
