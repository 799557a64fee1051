"""`janus explain` and `janus tensorboard`."""

import os
import sys
from typing import Annotated

import typer

from pipeline import environment
from pipeline.cli_common import ConfigFile, Overrides, Verbose, errors_told


def explain(
    key: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="Such as model.trunk, or tasks.*.loss; none: the keys of the first level."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Print the reference of a key of the configuration: type, default, what is allowed, and the keys in it."""
    with errors_told(verbose):
        from pipeline.config import JanusConfig
        from pipeline.display import console_on
        from pipeline.reference.keys import keys_of
        from pipeline.reference.lookup import find
        from pipeline.reference.terminal import explanation, overview

        keys = keys_of(JanusConfig)
        console_on(sys.stdout).print(explanation(find(key, keys), keys) if key else overview(keys))


def tensorboard(
    config: ConfigFile,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 6006,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="To listen on; 0.0.0.0: on all of this machine's.")
    ] = "localhost",
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Show losses, loss weights, metrics and gates of all trainings, per task and epoch, in TensorBoard."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.home import Home
        from pipeline.tensorboard_job import tensorboard_command, trainings_of

        home = Home(load_config(config, overrides or []).name)
        for training in trainings_of(home):
            typer.echo(f"training {training.name}: {training.changed:%Y-%m-%d %H:%M}", err=True)
        command = tensorboard_command(home, host, port)
        sys.stderr.flush()
        # In this process's place, so that signals and the exit code are TensorBoard's own.
        os.execv(command[0], command)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(explain)
    app.command()(tensorboard)
