"""Where a pipeline's training logs are, and how TensorBoard is started on them."""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.home import Home
from trainer.errors import ConfigError


@dataclass(frozen=True)
class Training:
    """One training's logs: `train` and `validation` in a folder named by the Trainer's execution."""

    folder: Path
    changed: datetime

    @property
    def name(self) -> str:
        """What TensorBoard calls it."""
        return self.folder.name


def log_folder(home: Home) -> Path:
    """Holds the `model_run` artifacts of the Trainer, into which it writes while it trains."""
    return home.root / "Trainer" / "model_run"


def trainings_of(home: Home) -> list[Training]:
    """The trainings that have left logs, newest first.

    Raises:
        ConfigError: there is none yet.
    """
    found = [
        Training(folder, datetime.fromtimestamp(max(file.stat().st_mtime for file in files)))
        for folder in log_folder(home).glob("*")
        if (files := list(folder.rglob("events.out.tfevents.*")))
    ]
    if not found:
        raise ConfigError(
            f"pipeline '{home.name}' has no training logs in {log_folder(home)}: start it with `janus run CONFIG`"
        )
    return sorted(found, key=lambda training: training.changed, reverse=True)


def tensorboard_command(home: Home, host: str, port: int) -> list[str]:
    """The command line of TensorBoard on the logs of all the pipeline's trainings, those under way included."""
    return [
        *(sys.executable, "-m", "tensorboard.main"),
        *("--logdir", str(log_folder(home))),
        *("--host", host, "--port", str(port)),
        *("--window_title", f"janus {home.name}"),
    ]
