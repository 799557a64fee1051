"""What the component and the process that fits the baselines hand each other, in a folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.baselines.config import BaselineName, BaselinesConfig
from janus_core.strict import StrictModel
from trainer.config.features.base import InputKind

_JOB, _TRAIN, _EVAL, _OUTCOMES = "job.json", "train.npz", "eval.f32", "outcomes.jsonl"


class Outcome(StrictModel):
    """How the fitting of one baseline to one task ended.

    Attributes:
        rows: training rows that it was fitted to.
        seconds: it took, predictions included.
        problem: why there is none; empty if there is one.
    """

    task: str
    baseline: BaselineName
    rows: int = 0
    seconds: float = 0.0
    problem: str = ""


class Job(StrictModel):
    """What is to be fitted.

    `inputs` says what a feature's numbers are, and how many there are, in the order of a matrix's columns.
    """

    config: BaselinesConfig
    inputs: dict[str, tuple[InputKind, int]]


@dataclass(frozen=True)
class TaskRows:
    """A task's labelled rows of a matrix.

    Attributes:
        rows: int64 [n], their places in it, ascending.
        labels: [n, width] as `trainer.names.label_name` says.
        weights: float32 [n], above 0.
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class TrainingRows:
    """The matrix float32 [rows, columns] of the training rows, and task → its labelled rows among them."""

    matrix: np.ndarray
    tasks: dict[str, TaskRows]


@dataclass(frozen=True)
class JobFolder:
    """The folder."""

    path: Path

    def write(self, job: Job, training: TrainingRows) -> None:
        """Writes all but the eval split."""
        (self.path / _JOB).write_text(job.model_dump_json(), encoding="utf-8")
        arrays = {f"{name}/{part}": array for name, of in training.tasks.items() for part, array in vars(of).items()}
        np.savez(self.path / _TRAIN, matrix=training.matrix, **arrays)

    def job(self) -> Job:
        """What is to be fitted."""
        return Job.model_validate_json((self.path / _JOB).read_text(encoding="utf-8"))

    def training(self, tasks: Mapping[str, object]) -> TrainingRows:
        """The training rows."""
        with np.load(self.path / _TRAIN) as arrays:
            parts = ("rows", "labels", "weights")
            of_tasks = {name: TaskRows(*(arrays[f"{name}/{part}"] for part in parts)) for name in tasks}
            return TrainingRows(arrays["matrix"], of_tasks)

    def append_eval(self, matrix: np.ndarray) -> None:
        """Adds rows of the eval split, [n, columns]."""
        with (self.path / _EVAL).open("ab") as file:
            matrix.astype(np.float32).tofile(file)

    def eval_matrix(self, columns: int) -> np.ndarray:
        """float32 [rows, columns], which stays on the disk."""
        return np.memmap(self.path / _EVAL, np.float32, "r").reshape(-1, columns)

    def add(self, outcome: Outcome, predictions: np.ndarray | None) -> None:
        """Adds a baseline, with its predictions for all rows of the eval split."""
        if predictions is not None:
            np.save(self._predictions(outcome), predictions.astype(np.float32))
        with (self.path / _OUTCOMES).open("a", encoding="utf-8") as file:
            file.write(outcome.model_dump_json() + "\n")

    def results(self) -> Iterator[tuple[Outcome, np.ndarray | None]]:
        """What was added."""
        path = self.path / _OUTCOMES
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            outcome = Outcome.model_validate_json(line)
            yield outcome, None if outcome.problem else np.load(self._predictions(outcome))

    def _predictions(self, outcome: Outcome) -> Path:
        return self.path / f"{outcome.task}.{outcome.baseline}.npy"
