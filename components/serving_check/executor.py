"""Tests the model, and writes the blessing together with the model as it is to be pushed."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import path_utils

from components.anomaly_gate.column import read_statistics
from components.artifacts import Artifacts
from components.pusher.checked import record_checked
from components.pusher.storage import source_of
from components.serving_check.check import check_model
from components.serving_check.config import CheckConfig
from components.serving_check.result import write_check
from components.serving_check.synthetic import synthetic_rows, without_values
from janus_core.errors import DataError
from janus_core.examples.records import record_batches
from janus_core.examples.shards import shard_files
from janus_core.files import replacing
from serving.warmup import write_warmup

CONFIG = "config"
MODEL_ID = "current_model_id"
BLESSED, HAS_MODEL = "blessed", "has_model"
BLESSED_FILE, NOT_BLESSED_FILE = "INFRA_BLESSED", "INFRA_NOT_BLESSED"
"""Names of TFX's InfraValidator, which has no constants for others to import."""


class Executor(base_executor.BaseExecutor):
    """Blesses the model or not; the component succeeds in both cases."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX.

        Raises:
            DataError: the eval split is empty or damaged.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = CheckConfig.model_validate_json(exec_properties[CONFIG])
        artifact = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
        blessing = artifact_utils.get_single_instance(output_dict[specs.BLESSING_KEY])
        folder = Path(blessing.uri)
        folder.mkdir(parents=True, exist_ok=True)
        model = Path(path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact)))
        # Before the check: what changes meanwhile has not been checked.
        checked = source_of(model).manifest()
        rows = first_rows(input_dict[specs.EXAMPLES_KEY], "eval", max(config.check_rows, config.warmup_rows))
        warmup = _warmup_rows(rows, artifact_utils.get_single_uri(input_dict[specs.STATISTICS_KEY]), config)
        real = rows[: config.check_rows]
        # TF Serving does not load a model that rejects one of its warm-up requests.
        result = check_model(model, [*real, *warmup], config).model_copy(update={"rows": len(real)})
        if result.passed:
            stamped = Path(path_utils.stamped_model_path(blessing.uri))
            stamp(model, stamped, warmup)
            record_checked(blessing, checked, stamped)
            blessing.set_int_custom_property(HAS_MODEL, 1)
        for problem in result.problems:
            logging.error("Serving check: %s", problem)
        write_check(blessing.uri, result)
        blessing.set_int_custom_property(MODEL_ID, artifact.id)
        blessing.set_int_custom_property(BLESSED, int(result.passed))
        (folder / (BLESSED_FILE if result.passed else NOT_BLESSED_FILE)).touch()


def _warmup_rows(rows: Sequence[bytes], statistics_uri: str, config: CheckConfig) -> list[bytes]:
    (statistics,) = read_statistics(statistics_uri, "train").datasets
    real = list(rows[: config.warmup_rows]) if config.warmup == "real" else []
    count = len(real) or config.warmup_rows
    made = synthetic_rows(rows, statistics, count, config.sensitive, config.images, config.dates)
    return without_values(real, made, config.sensitive) if real else made


def first_rows(examples: Sequence[types.Artifact], split: str, count: int) -> list[bytes]:
    """The first rows of a split, in the order of its files, as serialized tf.Examples; all where there are fewer.

    Raises:
        DataError: the split is empty or damaged.
    """
    rows: list[bytes] = []
    for uri in artifact_utils.get_split_uris(list(examples), split):
        for path in shard_files(uri):
            for batch in record_batches(path):
                rows += batch[: count - len(rows)].numpy().tolist()
                if len(rows) == count:
                    return rows
    if not rows:
        raise DataError(f"the {split} split has no rows, so that the model cannot be tested")
    return rows


def stamp(model: Path, target: Path, warmup: Sequence[bytes]) -> None:
    """Copies a model and adds warm-up requests; the copy appears whole or not at all.

    Args:
        model: the exported SavedModel.
        target: the copy, which must not exist.
        warmup: serialized tf.Examples; none: no file of requests.
    """
    with replacing(target) as staging:
        shutil.copytree(model, staging)
        if warmup:
            write_warmup(staging, list(warmup))
