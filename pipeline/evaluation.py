"""The TFMA EvalConfig for TFX's Evaluator: the tasks' metrics, the slices and the gates.

TFMA expects labels, weights and metrics keyed by the model's output; a wrong key gives no metrics instead of an error,
which is why `pipeline.report.evaluation_result` checks that each task has all of its own. A task that predicts
quantiles or decides between two classes has two outputs, with the same label and weight.
"""

import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from google.protobuf import json_format

# TFMA 0.52 no longer exports the messages of an EvalConfig itself.
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.gates import Gate
from components.evaluator.result import LABELLED_COUNT as LABELLED_COUNT
from components.metrics.metric import StatisticMetric
from janus_core.kinds import kind_of, metrics_of
from janus_core.metrics import Metric, Rule
from janus_core.strict import LabelForm
from pipeline.config import JanusConfig
from pipeline.config.gates import GateConfig
from trainer.config import Task, classes_of, quantiles_of
from trainer.names import label_name, weight_name

EXAMPLE_COUNT = "example_count"
"""Metric of all rows of a slice, over all tasks."""

PRESENT_CLASSES = "present_classes"
"""Metric of classification tasks: the classes among the labels."""

_METRICS = "components.metrics"
"""TFMA imports metrics by module and class where it needs them, on any Beam worker."""

_LABELLED_ROWS = "metric.LabelledRows"
_PRESENT_CLASSES: dict[LabelForm, str] = {
    "class": "classification.PresentClasses",
    "classes": "multilabel.MultilabelPresentClasses",
}


def output_of(name: str, metric: Metric) -> str:
    """The model's output that a metric of the task `name` is computed from."""
    return "/".join(filter(None, [name, metric.reads]))


def eval_config(config: JanusConfig) -> config_pb2.EvalConfig:
    """The EvalConfig of a pipeline: one model, of which TFX makes two when there is a baseline.

    Its thresholds are those gates that TFMA can judge, which are on all rows together. A model without any gate is
    blessed as soon as it was evaluated on at least one example.
    """
    gates = [gate for gate in gates_of(config) if gate.by_tfma]
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(config.tasks)],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=keys) for keys in config.evaluation.slices),
        ],
        metrics_specs=[
            _example_count_spec(),
            *(
                spec
                for name, task in config.tasks.items()
                for spec in _task_specs(name, task, [gate for gate in gates if gate.task == name])
            ),
        ],
    )


def metrics_by_output(config: JanusConfig) -> dict[tuple[str, str], StatisticMetric]:
    """Output and name of each metric of the tasks → the metric, made as the Evaluator makes it."""
    made: dict[tuple[str, str], StatisticMetric] = {}
    for spec in eval_config(config).metrics_specs:
        for output in spec.output_names:
            for described in spec.metrics:
                settings = json.loads(described.config)
                cls = getattr(importlib.import_module(described.module), described.class_name)
                made[output, settings["name"]] = cls(**settings)
    return made


def gates_of(config: JanusConfig) -> list[Gate]:
    """All limits of all tasks, one by one: of a task, those over all rows come first."""
    found = []
    for name, gates in config.evaluation.gates.items():
        known, levels = metrics_of(config.tasks[name]), quantiles_of(config.tasks[name])
        found += [
            Gate(
                task=name,
                metric=metric,
                output=output_of(name, known[metric]),
                rule=rule,
                limit=limit,
                best=known[metric].best(levels),
                over=over,
                columns=config.evaluation.columns_of_gate(columns) if columns else [],
                min_rows=getattr(limits, "min_rows", 1),
                confidence=limits.confidence(rule) if isinstance(limits, GateConfig) else None,
            )
            for over, columns, metric, limits in gates.entries()
            for rule, limit in limits.rules().items()
        ]
    return found


def _model_spec(tasks: Mapping[str, Task]) -> config_pb2.ModelSpec:
    outputs = {output_of(name, metric): name for name, task in tasks.items() for metric in metrics_of(task).values()}
    return config_pb2.ModelSpec(
        # Unset, TFMA would load the model once more to find out.
        model_type=tfma.TF_GENERIC,
        signature_name="serving_default",
        preprocessing_function_names=["transform_features"],
        label_keys={output: label_name(name) for output, name in outputs.items()},
        example_weight_keys={output: weight_name(name) for output, name in outputs.items()},
    )


def _example_count_spec() -> config_pb2.MetricsSpec:
    # TFMA blesses no model without any threshold; this one is always present.
    count = _metric_config(EXAMPLE_COUNT, "", "ExampleCount")
    _add_thresholds(count, {"min": 1.0})
    return config_pb2.MetricsSpec(metrics=[count], example_weights=config_pb2.ExampleWeightOptions(unweighted=True))


def _task_specs(name: str, task: Task, gates: Sequence[Gate]) -> Iterable[config_pb2.MetricsSpec]:
    """One per output, since TFMA's metrics know one prediction of a row."""
    by_output: dict[str, list[config_pb2.MetricConfig]] = {name: [_own_config(LABELLED_COUNT, _LABELLED_ROWS)]}
    present_classes = _PRESENT_CLASSES.get(kind_of(task).label_form)
    for metric in metrics_of(task).values():
        found = _own_config(metric.name, metric.implementation, _settings(task, metric.reads))
        _add_thresholds(found, {gate.rule: gate.limit for gate in gates if gate.metric == metric.name})
        by_output.setdefault(output_of(name, metric), []).append(found)
    if present_classes:
        by_output[name].append(_own_config(PRESENT_CLASSES, present_classes, _settings(task)))
    return [
        config_pb2.MetricsSpec(
            metrics=metrics, output_names=[output], example_weights=config_pb2.ExampleWeightOptions(weighted=True)
        )
        for output, metrics in by_output.items()
    ]


def _settings(task: Task, reads: str = "") -> dict[str, Any]:
    if reads == "quantiles":
        return {"levels": quantiles_of(task)}
    if kind_of(task).label_form == "tags":
        return {"tags": classes_of(task)}
    decided = {"decided": classes_of(task)} if reads == "decision" else {}
    return {"classes": len(classes_of(task)), **decided} if classes_of(task) else {}


def _own_config(name: str, implementation: str, settings: Mapping[str, Any] | None = None) -> config_pb2.MetricConfig:
    module, _, class_name = implementation.rpartition(".")
    return _metric_config(name, f"{_METRICS}.{module}", class_name, settings)


def _metric_config(
    name: str, module: str, class_name: str, settings: Mapping[str, Any] | None = None
) -> config_pb2.MetricConfig:
    config = json.dumps({"name": name, **(settings or {})}, sort_keys=True)
    return config_pb2.MetricConfig(class_name=class_name, module=module, config=config)


def _add_thresholds(metric: config_pb2.MetricConfig, limits: Mapping[Rule, float]) -> None:
    found: list[dict[str, Any]] = []
    bounds = {"min": "lower_bound", "max": "upper_bound"}
    values = {bounds[rule]: limit for rule, limit in limits.items() if rule in bounds}
    if values:
        found.append({"value_threshold": values})
    if "max_drop" in limits:
        found.append({"change_threshold": {"absolute": -limits["max_drop"], "direction": "HIGHER_IS_BETTER"}})
    if "max_rise" in limits:
        found.append({"change_threshold": {"absolute": limits["max_rise"], "direction": "LOWER_IS_BETTER"}})
    for one in found:
        threshold = json_format.ParseDict(one, config_pb2.MetricThreshold())
        # A plain `threshold` would have to hold in every slice.
        metric.per_slice_thresholds.add(slicing_specs=[config_pb2.SlicingSpec()], threshold=threshold)
