"""Fits the baselines in a process of its own: `python -m components.baselines FOLDER` (`components.baselines.job`).

A baseline's result is written as soon as there is one, so that one that takes too long takes none of the others with
it. The process ends when its standard input is closed, as when its parent process ends.
"""

import sys
import time
from pathlib import Path

import numpy as np

from components.baselines.config import BaselineName
from components.baselines.job import Job, JobFolder, Outcome, TaskRows
from components.baselines.models import Columns, columns_of, fit
from janus_core.child_process import run_with_parent

ROWS_PER_CALL = 1 << 16


def main(folder: JobFolder) -> None:
    """Fits all baselines, the cheap ones first."""
    job = folder.job()
    training = folder.training(job.config.tasks)
    columns = columns_of(job.inputs, training.matrix)
    for name in sorted(job.config.names, key=["constant", "linear", "boosting"].index):
        for task, rows in training.tasks.items():
            folder.add(*_fitted(job, name, task, columns, training.matrix, rows, folder))


def _fitted(
    job: Job, name: BaselineName, task: str, columns: Columns, matrix: np.ndarray, rows: TaskRows, folder: JobFolder
) -> tuple[Outcome, np.ndarray | None]:
    started = time.monotonic()
    outcome = Outcome(task=task, baseline=name, rows=len(rows.rows))
    try:
        if not len(rows.rows):
            raise ValueError("no training row has a label and a weight")
        predict = fit(
            name, job.config.tasks[task], columns, matrix[rows.rows], rows.labels, rows.weights, job.config.seed
        )
        evaluated = folder.eval_matrix(matrix.shape[1])
        starts = range(0, len(evaluated), ROWS_PER_CALL)
        predictions = np.concatenate([predict(evaluated[start : start + ROWS_PER_CALL]) for start in starts])
    # Whatever it is: a run does not fail because of a baseline.
    except Exception as error:
        words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return outcome.model_copy(update={"problem": words}), None
    return outcome.model_copy(update={"seconds": round(time.monotonic() - started, 3)}), predictions


if __name__ == "__main__":
    run_with_parent(lambda: main(JobFolder(Path(sys.argv[1]))))
