"""`janus tensorboard`: TensorBoard on the logs of all trainings."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from janus_core.errors import ConfigError
from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load
from pipeline.home import Home


def log_folder(home: Home) -> Path:
    """Holds the `model_run` artifacts of the Trainer, into which it writes while it trains."""
    return home.root / "Trainer" / "model_run"


def trainings_of(home: Home) -> list[tuple[datetime, str]]:
    """When each training that has left logs last wrote them, and what TensorBoard calls it; newest first.

    Raises:
        ConfigError: there is none yet.
    """
    trainings = [
        (datetime.fromtimestamp(max(file.stat().st_mtime for file in files)), folder.name)
        for folder in log_folder(home).glob("*")
        if (files := list(folder.rglob("events.out.tfevents.*")))
    ]
    if not trainings:
        raise ConfigError(
            f"pipeline '{home.name}' has no training logs in {log_folder(home)}: start it with `janus run CONFIG`"
        )
    return sorted(trainings, reverse=True)


def tensorboard_command(home: Home, host: str, port: int) -> list[str]:
    """The command line of TensorBoard on the logs of all the pipeline's trainings, those under way included."""
    return [
        *(sys.executable, "-m", "tensorboard.main"),
        *("--logdir", str(log_folder(home))),
        *("--host", host, "--port", str(port)),
        *("--window_title", f"janus {home.name}"),
    ]


@command
def tensorboard(
    config: ConfigFile,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 6006,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="To listen on; 0.0.0.0: on all of this machine's.")
    ] = "localhost",
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Show losses, loss weights, metrics and gates of all trainings, per task and epoch, in TensorBoard.

    Example:

        janus tensorboard configs/orders.yaml --port 6006
    """

    home = Home(load(config, overrides).name)
    for changed, name in trainings_of(home):
        typer.echo(f"training {name}: {changed:%Y-%m-%d %H:%M}", err=True)
    command = tensorboard_command(home, host, port)
    sys.stderr.flush()
    # In this process's place, so that signals and the exit code are TensorBoard's own.
    os.execv(command[0], command)
