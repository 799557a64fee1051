"""Reads the transformed examples, has the baselines fitted by a process that can be ended, and writes the result."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_transform as tft
from absl import logging
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

import components
from components.artifacts import Artifacts
from components.baselines.config import BaselinesConfig
from components.baselines.examples import eval_rows, training_rows, widths
from components.baselines.job import Job, JobFolder, Outcome, TaskRows
from components.baselines.result import EvaluatedSplit, EvaluatedTask, write_result
from components.serving_check.process import run_limited
from janus_core.errors import readable
from janus_core.examples.shards import shard_files

FITTING_PROCESS = "components.baselines.__main__"
"""The baselines are fitted in a process that runs this module."""

MEMORY_LIMIT_MB = 8192


class Executor(BaseExecutor):
    """Writes a result in any case; what went wrong is part of it."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX."""
        self._log_startup(input_dict, output_dict, exec_properties)
        config = BaselinesConfig.model_validate_json(exec_properties["config"])
        graph = artifact_utils.get_single_uri(input_dict["transform_graph"])
        outcomes: list[Outcome] = []
        split = EvaluatedSplit(np.zeros(0, np.int64), {})
        problem = f"not fitted within report.baseline_seconds {config.seconds:g}"
        try:
            with tempfile.TemporaryDirectory(prefix="baselines-") as name:
                folder = JobFolder(Path(name))
                shards, evaluated = _write_job(folder, config, input_dict["examples"], graph)
                ended = _fit(folder, config)
                if ended and "was killed after" not in ended:
                    problem = f"the process that fits the baselines {ended}"
                outcomes, tasks = _results(folder, evaluated)
                split = EvaluatedSplit(shards, tasks)
        # Whatever it is: a run does not fail because of a baseline.
        except Exception as error:
            logging.exception("The baselines were not fitted")
            problem = readable(error)
        known = {(outcome.task, outcome.baseline) for outcome in outcomes}
        wanted = [(task, baseline) for task in config.tasks for baseline in config.names]
        outcomes += [Outcome(task=t, baseline=b, problem=problem) for t, b in wanted if (t, b) not in known]
        write_result(artifact_utils.get_single_uri(output_dict["predictions"]), outcomes, split)


def _write_job(
    folder: JobFolder, config: BaselinesConfig, examples: list[Any], graph: str
) -> tuple[np.ndarray, dict[str, TaskRows]]:
    """Writes what the process reads, and returns the eval split's rows per file and the tasks' labelled rows."""
    spec = tft.TFTransformOutput(graph).transformed_feature_spec()
    inputs, tasks = list(config.inputs), list(config.tasks)
    files = [file for uri in artifact_utils.get_split_uris(examples, "train") for file in shard_files(uri)]
    training = training_rows(files, spec, inputs, tasks, config.rows, config.seed)
    folder.write(Job(config=config, inputs=widths(config.inputs, spec)), training)
    (newest, *_) = artifact_utils.get_split_uris(examples, "eval")
    return eval_rows(shard_files(newest), spec, inputs, tasks, folder.append_eval)


def _fit(folder: JobFolder, config: BaselinesConfig) -> str | None:
    """How the process ended, unless it ended well."""
    log = folder.path / "log"
    # One thread: the same numbers on any machine, and the other cores are the Trainer's.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    (packages,) = components.__path__
    path = os.pathsep.join(filter(None, [str(Path(packages).parent), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-P", "-m", "components.baselines", str(folder.path)]
    environment = {**os.environ, **threads, "PYTHONPATH": path}
    ended = run_limited(command, environment, log, config.seconds, MEMORY_LIMIT_MB)
    if ended.problem:
        logging.warning("The process that fits the baselines %s:\n%s", ended.problem, log.read_text(errors="replace"))
    return ended.problem


def _results(folder: JobFolder, evaluated: dict[str, TaskRows]) -> tuple[list[Outcome], dict[str, EvaluatedTask]]:
    predictions: dict[str, dict[str, np.ndarray]] = {task: {} for task in evaluated}
    outcomes = []
    for outcome, values in folder.results():
        outcomes.append(outcome)
        if values is not None:
            predictions[outcome.task][outcome.baseline] = values[evaluated[outcome.task].rows]
    tasks = {
        task: EvaluatedTask(rows.rows, rows.labels, rows.weights, predictions[task]) for task, rows in evaluated.items()
    }
    return outcomes, tasks
