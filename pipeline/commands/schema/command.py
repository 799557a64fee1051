"""The command line of `janus schema`."""

from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def schema(
    config: ConfigFile,
    write: Annotated[bool, typer.Option("--write", help="Write the inferred schema to the file.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Infer the schema from the training split, and show what differs from the frozen one.

    Example:

        janus schema configs/orders.yaml --write
    """
    from pipeline.commands.schema.job import run_schema_job

    return run_schema_job(load(config, overrides), write, verbose)
