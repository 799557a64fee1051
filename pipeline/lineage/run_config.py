"""A run's configuration, in its folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from janus_core.errors import JanusError
from janus_core.files import write_text
from pipeline.config import JanusConfig
from trainer.config.tune import with_hyperparameters

if TYPE_CHECKING:
    from pipeline.lineage.store import NodeExecution

CONFIG_FILE = "config.yaml"


def write_config(config: JanusConfig, folder: Path) -> Path:
    """Writes the configuration, overrides and defaults included, into a run's folder; whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    content = config.model_dump(mode="json", by_alias=True)
    return write_text(folder / CONFIG_FILE, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def as_trained(config: JanusConfig, executions: "Mapping[str, NodeExecution]") -> JanusConfig:
    """The configuration that a run trained: with the best values of its Tuner, if it has one (`tune.use`)."""
    best = executions["Tuner"].output("best_hyperparameters") if "Tuner" in executions else None
    if best is None:
        return config
    from tfx.dsl.io import fileio

    with fileio.open(f"{best.uri}/best_hyperparameters.txt", "r") as file:
        trained = with_hyperparameters(config.trainer_config(), json.load(file))
    return config.model_copy(update={key: getattr(trained, key) for key in ("features", "tasks", "model", "training")})


def read_config(folder: Path) -> dict[str, Any] | None:
    """Reads what `write_config` wrote; None where there is no file, as beside a report of a run on Kubeflow.

    Raises:
        JanusError: it cannot be read.
    """
    path = folder / CONFIG_FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise JanusError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise JanusError(f"{path} is not a mapping: restore it, or remove it to compare the runs without it")
    return content
