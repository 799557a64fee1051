"""The command line of `janus beam`."""

import sys
from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def beam(
    config: ConfigFile,
    connect: Annotated[bool, typer.Option("--connect/--no-connect", help="Ask the job server.")] = True,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Show and check the arguments of every Beam step; nothing is run.

    Example:

        janus beam configs/orders.yaml --connect
    """
    from pipeline.commands.beam.job import run_beam_job
    from pipeline.run.display import console_on

    return run_beam_job(load(config, overrides), console_on(sys.stdout), connect)
