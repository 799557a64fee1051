"""`janus beam`."""

import sys
from typing import Annotated

import typer

from pipeline import environment
from pipeline.cli_common import ConfigFile, Overrides, Verbose, end_with, errors_told


def beam(
    config: ConfigFile,
    connect: Annotated[bool, typer.Option("--connect/--no-connect", help="Ask the job server.")] = True,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Show and check what every Beam step is given; nothing is run."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.beam.job import run_beam_job
        from pipeline.config_file import load_config
        from pipeline.display import console_on

        end_with(run_beam_job(load_config(config, overrides or []), console_on(sys.stdout), connect))


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(beam)
