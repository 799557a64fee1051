"""What the Evaluator writes: TFMA's metrics, and the noise of their changes since the baseline."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow_model_analysis as tfma
from pydantic import Field
from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tfx.dsl.io import fileio

from janus_core.strict import StrictModel

CHANGES_FILE = "changes.json"

LABELLED_COUNT = "labelled"
"""Metric of each task: its labelled rows."""

SliceKey = tuple[tuple[str, str], ...]
"""Pairs of column and value, sorted by column; empty for all rows together."""


@dataclass(frozen=True)
class MetricKey:
    """A metric of an output of the model, or of its baseline."""

    output: str
    name: str
    baseline: bool = False


Metrics = Mapping[SliceKey, Mapping[MetricKey, float]]
"""Slice → metric → value."""


def read_metrics(evaluation_uri: str) -> Metrics:
    """The metrics of both models in each slice; differences between the models are left out."""
    return {
        _slice_key(record.slice_key): {
            MetricKey(item.key.output_name, item.key.name, item.key.model_name == tfma.BASELINE_KEY): (
                item.value.double_value.value
            )
            for item in record.metric_keys_and_values
            if not item.key.is_diff and item.value.WhichOneof("type") == "double_value"
        }
        for record in tfma.load_metrics(evaluation_uri)
    }


class OutputErrors(StrictModel):
    """The noise of an output's metrics."""

    rows: int = Field(description="The labelled rows that it was estimated from.")
    errors: dict[str, float] = Field(description="Metric → standard error of its change, for so many rows.")


class ChangeErrors(StrictModel):
    """The content of changes.json: output → its noise."""

    outputs: dict[str, OutputErrors] = {}

    def error(self, output: str, metric: str, rows: int) -> float | None:
        """The standard error of a metric's change over all `rows` labelled rows; None where it is not known."""
        found = self.outputs.get(output)
        error = found.errors.get(metric) if found else None
        return None if found is None or error is None or not rows else error * math.sqrt(found.rows / rows)


def read_errors(evaluation_uri: str) -> ChangeErrors:
    """What `components.evaluator.changes` wrote; nothing where there was no baseline."""
    path = f"{evaluation_uri}/{CHANGES_FILE}"
    if not fileio.exists(path):
        return ChangeErrors()
    with fileio.open(path, "r") as file:
        return ChangeErrors.model_validate_json(file.read())


def slice_name(key: SliceKey) -> str:
    """`a=1`, or `a=1,b=2` for a crossing."""
    return ",".join(f"{column}={value}" for column, value in key)


def columns_of(key: SliceKey) -> tuple[str, ...]:
    """The columns of a slice, sorted."""
    return tuple(column for column, _ in key)


def _slice_key(key: metrics_for_slice_pb2.SliceKey) -> SliceKey:
    return tuple((single.column, _slice_value(single)) for single in key.single_slice_keys)


def _slice_value(single: metrics_for_slice_pb2.SingleSliceKey) -> str:
    kind = single.WhichOneof("kind")
    if kind == "bytes_value":
        return str(single.bytes_value.decode("utf-8", errors="replace"))
    if kind == "float_value":
        # Stored as float32: its own shortest form, not that of the double that it is read into.
        return str(np.float32(single.float_value))
    return str(single.int64_value)
