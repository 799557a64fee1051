"""What TFX's Evaluator is told: the tasks' metrics, the slices and the gates, as a TFMA EvalConfig.

TFMA wants labels, weights and metrics keyed by the model's output; a wrong key gives no error but no metrics, which is
why `pipeline.results` checks that each task has all of its own.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from google.protobuf import wrappers_pb2

# TFMA 0.52 no longer exports the messages of an EvalConfig itself.
from tensorflow_model_analysis.proto import config_pb2

from pipeline.config import METRICS, GateConfig, JanusConfig
from trainer.config import Task
from trainer.names import label_name, weight_name

EXAMPLE_COUNT = "example_count"
"""Metric of all rows of a slice, over all tasks."""

LABELLED_COUNT = "labelled"
"""Metric of each task: its labelled rows."""

PRESENT_CLASSES = "present_classes"
"""Metric of classification tasks: the classes among the labels."""

METRIC_CLASSES: dict[str, tuple[str, str]] = {
    "accuracy": ("components.metrics.accuracy", "ClassAccuracy"),
    "auc": ("components.metrics.auc", "OneVsRestAUC"),
    "auc_pr": ("components.metrics.auc", "OneVsRestAUCPR"),
    "log_loss": ("components.metrics.log_loss", "LogLoss"),
    "f1": ("components.metrics.f1", "MacroF1"),
    "ece": ("components.metrics.ece", "ExpectedCalibrationError"),
    "mae": ("components.metrics.mae", "AbsoluteError"),
    "rmse": ("components.metrics.rmse", "RootSquaredError"),
    "r2": ("components.metrics.r2", "RSquared"),
    "bias": ("components.metrics.bias", "MeanBias"),
    PRESENT_CLASSES: ("components.metrics.class_presence", "PresentClasses"),
}
"""Short name → module and class of the TFMA metric. TFMA imports the module where it needs it, on any Beam worker."""


def eval_config(config: JanusConfig) -> config_pb2.EvalConfig:
    """The EvalConfig of a pipeline: one model, of which TFX makes two when there is a baseline.

    Gates hold for all rows together, not for single slices. A model without any gate is blessed as soon as it was
    evaluated on at least one example.
    """
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(config.tasks)],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=keys) for keys in config.evaluation.slices),
        ],
        metrics_specs=[
            _example_count_spec(),
            *(_task_spec(name, task, config.evaluation.gates.get(name, {})) for name, task in config.tasks.items()),
        ],
    )


def _model_spec(tasks: Iterable[str]) -> config_pb2.ModelSpec:
    names = list(tasks)
    return config_pb2.ModelSpec(
        # Unset, TFMA would load the model once more to find out.
        model_type=tfma.TF_GENERIC,
        signature_name="serving_default",
        preprocessing_function_names=["transform_features"],
        label_keys={name: label_name(name) for name in names},
        example_weight_keys={name: weight_name(name) for name in names},
    )


def _example_count_spec() -> config_pb2.MetricsSpec:
    # TFMA blesses no model that has no threshold at all: this one always is there.
    count = _metric_config("ExampleCount", {"name": EXAMPLE_COUNT})
    _add_threshold(count, _value_threshold(minimum=1.0, maximum=None))
    return config_pb2.MetricsSpec(metrics=[count], example_weights=config_pb2.ExampleWeightOptions(unweighted=True))


def _task_spec(name: str, task: Task, gates: Mapping[str, GateConfig]) -> config_pb2.MetricsSpec:
    metrics = [_metric_config("ExampleCount", {"name": LABELLED_COUNT})]
    extra = [PRESENT_CLASSES] if hasattr(task, "classes") else []
    for metric in [*METRICS[task.kind], *extra]:
        module, class_name = METRIC_CLASSES[metric]
        metric_config = _metric_config(class_name, {"name": metric, **_settings(task)}, module)
        if metric in gates:
            for threshold in _thresholds(gates[metric]):
                _add_threshold(metric_config, threshold)
        metrics.append(metric_config)
    return config_pb2.MetricsSpec(
        metrics=metrics, output_names=[name], example_weights=config_pb2.ExampleWeightOptions(weighted=True)
    )


def _settings(task: Task) -> dict[str, Any]:
    classes = getattr(task, "classes", None)
    return {} if classes is None else {"classes": len(classes)}


def _metric_config(class_name: str, settings: Mapping[str, Any], module: str = "") -> config_pb2.MetricConfig:
    return config_pb2.MetricConfig(class_name=class_name, module=module, config=json.dumps(settings, sort_keys=True))


def _add_threshold(metric: config_pb2.MetricConfig, threshold: config_pb2.MetricThreshold) -> None:
    # A plain `threshold` would have to hold in every slice.
    metric.per_slice_thresholds.add(slicing_specs=[config_pb2.SlicingSpec()], threshold=threshold)


def _thresholds(gate: GateConfig) -> list[config_pb2.MetricThreshold]:
    found = []
    if gate.min is not None or gate.max is not None:
        found.append(_value_threshold(gate.min, gate.max))
    if gate.max_drop is not None:
        found.append(_change_threshold(-gate.max_drop, config_pb2.MetricDirection.HIGHER_IS_BETTER))
    if gate.max_rise is not None:
        found.append(_change_threshold(gate.max_rise, config_pb2.MetricDirection.LOWER_IS_BETTER))
    return found


def _value_threshold(minimum: float | None, maximum: float | None) -> config_pb2.MetricThreshold:
    bounds = {"lower_bound": minimum, "upper_bound": maximum}
    return config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(
            **{name: wrappers_pb2.DoubleValue(value=bound) for name, bound in bounds.items() if bound is not None}
        )
    )


def _change_threshold(change: float, direction: int) -> config_pb2.MetricThreshold:
    return config_pb2.MetricThreshold(
        change_threshold=config_pb2.GenericChangeThreshold(
            absolute=wrappers_pb2.DoubleValue(value=change), direction=direction
        )
    )
