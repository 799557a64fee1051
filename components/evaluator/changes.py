"""Estimates how uncertain each metric's change since the baseline is."""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from tensorflow_model_analysis.proto import config_pb2
from tfx.utils import io_utils

from components.evaluator.gates import Gate, harm
from components.evaluator.result import CHANGES_FILE, ChangeErrors, OutputErrors
from components.metrics.bootstrap import Harm, change_errors
from components.metrics.metric import StatisticMetric
from components.metrics.rows import Rows, make_rows
from janus_core.examples.draw import draw_from, in_calls
from serving.saved_model import LoadedModel

MOST_ROWS = 10_000
"""Rows that the errors are estimated from. They are scaled to the number of all rows."""


def write_errors(
    evaluation_uri: str,
    config: config_pb2.EvalConfig,
    model: str,
    baseline: str,
    files: Sequence[str],
    gates: Sequence[Gate],
    seed: int,
) -> None:
    """Estimates the noise of each change from a sample of the rows, and writes it beside the metrics.

    Args:
        evaluation_uri: folder of the evaluation.
        config: the EvalConfig, whose last model spec has the outputs that both models have.
        model, baseline: folders of the SavedModels.
        files: of the evaluated split.
        gates: those whose changes are needed.
        seed: of the sample and of the replicas.
    """
    preprocessing = config.model_specs[0].preprocessing_function_names
    spec = min(config.model_specs, key=lambda spec: len(spec.label_keys))
    outputs = list(spec.label_keys)
    records = draw_from(files, MOST_ROWS, seed).records if outputs and preprocessing else []
    found = {}
    if records:
        labels = _answers(model, records, preprocessing[0])
        sides = [_answers(path, records, spec.signature_name, outputs) for path in (model, baseline)]
        for output, metrics in _metrics(config, outputs).items():
            weights = np.ravel(labels[spec.example_weight_keys[output]])
            of_labels = labels[spec.label_keys[output]]
            rows = [_labelled(make_rows(of_labels, side[output], weights)) for side in sides]
            # The error of a distance from the best value is not that of the value.
            distances = {
                gate.changing: gate
                for gate in gates
                if gate.output == output and gate.confidence and gate.best is not None
            }
            harms = {name: _harm(gate) for name, gate in distances.items()}
            metrics |= {name: metrics[gate.metric] for name, gate in distances.items()}
            errors = change_errors(metrics, rows[0], rows[1], seed, harms)
            found[output] = OutputErrors(rows=len(rows[0].weights), errors=errors)
    io_utils.write_string_file(f"{evaluation_uri}/{CHANGES_FILE}", ChangeErrors(outputs=found).model_dump_json())


def _metrics(config: config_pb2.EvalConfig, outputs: Sequence[str]) -> Mapping[str, dict[str, StatisticMetric]]:
    """Output → name → metric, of our own metrics."""
    found: dict[str, dict[str, StatisticMetric]] = {output: {} for output in outputs}
    for output, described in _described(config):
        if output in found and described.module.startswith("components.metrics"):
            metric = getattr(importlib.import_module(described.module), described.class_name)
            settings = json.loads(described.config)
            found[output][settings["name"]] = metric(**settings)
    return found


def _described(config: config_pb2.EvalConfig) -> Iterator[tuple[str, config_pb2.MetricConfig]]:
    return (
        (output, metric) for spec in config.metrics_specs for output in spec.output_names for metric in spec.metrics
    )


def _answers(
    path: str, records: Sequence[bytes], signature: str, outputs: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    model = LoadedModel(path)
    try:
        return in_calls(records, lambda part: model.run(signature, {"examples": part}, outputs))
    finally:
        model.close()


def _labelled(rows: Rows) -> Rows:
    keep = rows.weights > 0
    return Rows(rows.labels[keep], rows.predictions[keep], rows.weights[keep])


def _harm(gate: Gate) -> Harm:
    return lambda after, before: harm(gate, after, before)
