"""Searches, by one process or several, and writes what was found."""

from pathlib import Path
from typing import Any

from tfx.components.trainer.fn_args_utils import get_common_fn_args
from tfx.components.tuner.executor import get_tune_args, write_best_hyperparameters
from tfx.components.util import udf_utils
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from components.tuner.parallel import search_in_parallel
from janus_core.errors import JanusError
from trainer.trial_record import TRIALS, TrialRecord

TRIALS_FILE = "trials.json"
"""In the artifact `tuner_results`, beside TFX's file of the scores alone."""


class Executor(base_executor.BaseExecutor):
    """Runs a tuner_fn's tuner."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Called by TFX.

        Raises:
            JanusError: no trial ended in time, or a worker failed.
        """
        fn_args = get_common_fn_args(input_dict, exec_properties, self._get_tmp_dir())
        tuner = udf_utils.get_fn(exec_properties, "tuner_fn")(fn_args).tuner
        arguments = get_tune_args(exec_properties)
        if arguments and arguments.num_parallel_trials > 1:
            search_in_parallel(tuner, fn_args, exec_properties["tuner_fn"], arguments.num_parallel_trials)
        else:
            tuner.search()
        tuner.finish()
        records = tuner.records()
        if not any(record.score is not None for record in records):
            raise JanusError("no trial ended in time: the same command continues it with a greater `tune.minutes`")
        write_best_hyperparameters(tuner, output_dict)
        results = artifact_utils.get_single_uri(output_dict["tuner_results"])
        io_utils.write_string_file(f"{results}/{TRIALS_FILE}", TRIALS.dump_json(records, indent=1).decode())


def read_trials(folder: Path) -> list[TrialRecord]:
    """The trials in an artifact `tuner_results`."""
    return TRIALS.validate_json((folder / TRIALS_FILE).read_bytes())
