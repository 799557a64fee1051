"""The result of the Baselines component, as the report reads it."""

import io
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter
from tfx.dsl.io import fileio

from components.baselines.job import Outcome, TaskRows

OUTCOMES_FILE, ARRAYS_FILE = "outcomes.json", "predictions.npz"

_OUTCOMES = TypeAdapter(list[Outcome])


@dataclass(frozen=True)
class EvaluatedTask(TaskRows):
    """A task's labelled rows of the eval split.

    Attributes:
        predictions: baseline → float32 [n, width], the probability of each class, the number, or its quantiles.
    """

    predictions: dict[str, np.ndarray]


@dataclass(frozen=True)
class EvaluatedSplit:
    """The eval split.

    Attributes:
        shards: int64 [files], the number of rows in each of its files.
        tasks: task → its labelled rows and predictions; empty where nothing was fitted.
    """

    shards: np.ndarray
    tasks: dict[str, EvaluatedTask]


def write_result(uri: str, outcomes: list[Outcome], split: EvaluatedSplit) -> None:
    """Writes the result into the folder of the artifact."""
    arrays: dict[str, np.ndarray] = {"shards": split.shards}
    for name, task in split.tasks.items():
        arrays |= {f"{name}/rows": task.rows, f"{name}/labels": task.labels, f"{name}/weights": task.weights}
        arrays |= {f"{name}/predictions/{baseline}": values for baseline, values in task.predictions.items()}
    content = io.BytesIO()
    np.savez(content, **arrays)
    for file, data in ((ARRAYS_FILE, content.getvalue()), (OUTCOMES_FILE, _OUTCOMES.dump_json(outcomes, indent=1))):
        with fileio.open(f"{uri}/{file}", "wb") as opened:
            opened.write(data)


def read_outcomes(uri: str) -> list[Outcome]:
    """How each baseline's fitting ended."""
    with fileio.open(f"{uri}/{OUTCOMES_FILE}", "rb") as file:
        return _OUTCOMES.validate_json(file.read())


def read_split(uri: str) -> EvaluatedSplit:
    """The eval split with the predictions for it."""
    with fileio.open(f"{uri}/{ARRAYS_FILE}", "rb") as file:
        arrays = dict(np.load(io.BytesIO(file.read())))
    tasks = {
        name: EvaluatedTask(
            rows=arrays[f"{name}/rows"],
            labels=arrays[f"{name}/labels"],
            weights=arrays[f"{name}/weights"],
            predictions={
                key.rpartition("/")[2]: values
                for key, values in arrays.items()
                if key.startswith(f"{name}/predictions/")
            },
        )
        for name in (key.partition("/")[0] for key in arrays if key.endswith("/rows"))
    }
    return EvaluatedSplit(arrays["shards"], tasks)
