import json
import math

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.executor import StockExecutor
from janus_core.kinds import KINDS
from pipeline.evaluation import EXAMPLE_COUNT, LABELLED_COUNT, PRESENT_CLASSES, eval_config
from tests.pipeline.evaluation_harness import (
    make_config,
    random_table,
    run_evaluator,
    save_model,
    write_examples,
)
from tests.pipeline.kinds_harness import kinds_config

NUMBERS = [metric.name for metric in KINDS["regression"].metrics if not metric.levels]


def metric_names(spec: config_pb2.MetricsSpec) -> list[str]:
    return [json.loads(metric.config)["name"] for metric in spec.metrics]


def test_labels_weights_and_metrics_are_keyed_by_the_models_output():
    config = eval_config(make_config())
    (model,) = config.model_specs
    tasks = {"status": "status", "late": "late", "late/decision": "late", "delay": "delay"}
    assert dict(model.label_keys) == {output: f"{task}/label" for output, task in tasks.items()}
    assert dict(model.example_weight_keys) == {output: f"{task}/weight" for output, task in tasks.items()}
    assert [list(spec.output_names) for spec in config.metrics_specs] == [[], *([output] for output in tasks)]


def test_each_task_has_the_metrics_of_its_kind():
    counts, *tasks = eval_config(make_config()).metrics_specs
    assert metric_names(counts) == [EXAMPLE_COUNT]
    expected = {
        "status": [LABELLED_COUNT, "accuracy", "auc", "auc_pr", "log_loss", "f1", "ece", PRESENT_CLASSES],
        "late": [LABELLED_COUNT, "auc", "auc_pr", "log_loss", "ece", PRESENT_CLASSES],
        "late/decision": ["accuracy", "f1"],
        "delay": [LABELLED_COUNT, *NUMBERS],
    }
    assert {spec.output_names[0]: metric_names(spec) for spec in tasks} == expected
    assert all(spec.example_weights.weighted for spec in tasks)


def test_tfma_makes_every_metric_of_every_kind_from_its_name_and_settings():
    made = set()
    for spec in eval_config(kinds_config()).metrics_specs[1:]:
        for config in spec.metrics:
            found = metric_specs.metric_instance(config)
            assert found.name == json.loads(config.config)["name"]
            again = type(found).from_config(found.get_config())
            assert again.name == found.name
            assert again.statistic().name == found.statistic().name
            made.add(f"{config.module.removeprefix('components.metrics.')}.{config.class_name}")
    assert {metric.implementation for kind in KINDS.values() for metric in kind.metrics} <= made


def test_a_task_that_predicts_quantiles_has_a_second_output_with_the_same_label():
    config = kinds_config(gates={"delay": {"pinball": {"max_rise": 0.5}, "coverage": {"min": 0.7, "max": 0.9}}})
    found = eval_config(config)
    (model,) = found.model_specs
    assert model.label_keys["delay/quantiles"] == model.label_keys["delay"] == "delay/label"
    assert model.example_weight_keys["delay/quantiles"] == "delay/weight"
    specs = {name: spec for spec in found.metrics_specs for name in spec.output_names}
    assert (
        set(specs)
        == {*config.tasks, "delay/quantiles", "wait/quantiles", "buy/decision", "click/decision"}
        == set(model.label_keys)
    )
    assert metric_names(specs["delay"]) == [LABELLED_COUNT, *NUMBERS]
    assert metric_names(specs["delay/quantiles"]) == ["pinball", "coverage"]
    assert metric_names(specs["wait/quantiles"]) == ["pinball"], "a single quantile is no interval"
    pinball, coverage = (metric.per_slice_thresholds[0].threshold for metric in specs["delay/quantiles"].metrics)
    assert pinball.change_threshold.direction == config_pb2.MetricDirection.LOWER_IS_BETTER
    assert (coverage.value_threshold.lower_bound.value, coverage.value_threshold.upper_bound.value) == (0.7, 0.9)


def test_slices_are_all_rows_then_the_configured_columns():
    config = eval_config(make_config(slices=[["origin"], ["origin", "hour"]]))
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[], ["origin"], ["origin", "hour"]]


def test_gates_are_thresholds_on_all_rows():
    gates = {"status": {"auc": {"min": 0.6, "max": 0.9, "max_drop": 0.01}}, "delay": {"mae": {"max_rise": 0.5}}}
    config = eval_config(make_config(gates))
    thresholds = {
        (key.output_name, key.name, key.is_diff): found
        for key, found in metric_specs.metric_thresholds_from_metrics_specs(
            config.metrics_specs, eval_config=config
        ).items()
    }
    assert set(thresholds) == {
        ("", EXAMPLE_COUNT, False),
        ("status", "auc", False),
        ("status", "auc", True),
        ("delay", "mae", True),
    }
    assert all(slicing == config_pb2.SlicingSpec() for found in thresholds.values() for slicing, _ in found)
    ((_, value),) = thresholds["status", "auc", False]
    assert (value.lower_bound.value, value.upper_bound.value) == (0.6, 0.9)
    ((_, drop),) = thresholds["status", "auc", True]
    assert (drop.absolute.value, drop.direction) == (-0.01, config_pb2.MetricDirection.HIGHER_IS_BETTER)
    ((_, rise),) = thresholds["delay", "mae", True]
    assert (rise.absolute.value, rise.direction) == (0.5, config_pb2.MetricDirection.LOWER_IS_BETTER)


def test_without_gates_there_still_is_a_threshold():
    config = eval_config(make_config())
    assert metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, eval_config=config)


def test_a_gate_with_one_bound_leaves_the_other_open():
    config = eval_config(make_config({"late": {"ece": {"max": 0.1}}}))
    (threshold,) = (
        metric.per_slice_thresholds[0].threshold.value_threshold
        for spec in config.metrics_specs
        for metric in spec.metrics
        if json.loads(metric.config)["name"] == "ece" and metric.per_slice_thresholds
    )
    assert not threshold.HasField("lower_bound")
    assert threshold.upper_bound.value == 0.1


# --- our metrics against TFMA's own -----------------------------------------------------------------------------


def with_stock_metrics(config: config_pb2.EvalConfig) -> config_pb2.EvalConfig:
    """Adds what TFMA has itself, where that is right when every class is present."""

    def stock(task: str, metrics: dict[str, tuple[str, dict]], **options: object) -> config_pb2.MetricsSpec:
        return config_pb2.MetricsSpec(
            output_names=[task],
            example_weights=config_pb2.ExampleWeightOptions(weighted=True),
            metrics=[
                config_pb2.MetricConfig(class_name=name, config=json.dumps({"name": f"stock_{ours}", **settings}))
                for ours, (name, settings) in metrics.items()
            ],
            **options,
        )

    keras = {
        "accuracy": ("SparseCategoricalAccuracy", {}),
        "log_loss": ("SparseCategoricalCrossentropy", {}),
    }
    # Its AUCPrecisionRecall interpolates between thresholds, which is something else.
    areas = {"auc": ("AUC", {})}
    binary = {
        **areas,
        "accuracy": ("BinaryAccuracy", {}),
        "f1": ("F1Score", {}),
        "log_loss": ("BinaryCrossEntropy", {}),
    }
    regression = {
        "mae": ("MeanAbsoluteError", {}),
        "mse": ("MeanSquaredError", {}),
        "mean_label": ("MeanLabel", {}),
        "mean_prediction": ("MeanPrediction", {}),
    }
    macro = config_pb2.AggregationOptions(macro_average=True, class_weights=dict.fromkeys(range(3), 1.0))
    extended = config_pb2.EvalConfig()
    extended.CopyFrom(config)
    extended.metrics_specs.extend(
        [
            stock("status", keras),
            stock("status", areas, aggregate=macro),
            stock("late", binary),
            stock("delay", regression),
        ]
    )
    return extended


@pytest.mark.slow
def test_every_metric_equals_tfmas_own_on_all_slices(tmp_path):
    table = random_table(400)
    config = make_config(slices=[["origin"], ["origin", "hour"]])
    found = run_evaluator(
        tmp_path,
        with_stock_metrics(eval_config(config)),
        write_examples(tmp_path / "examples", table),
        save_model(tmp_path / "model"),
        executor_class=StockExecutor,
    )
    slices = list(tfma.load_metrics(found.evaluation))
    assert len(slices) == 1 + 3 + 12
    compared = 0
    for record in slices:
        values = {
            (item.key.output_name, item.key.name): item.value.double_value.value
            for item in record.metric_keys_and_values
        }
        stock = {
            (task, name.removeprefix("stock_")): value
            for (task, name), value in values.items()
            if name.startswith("stock_")
        }
        for metric in ("accuracy", "f1"):
            values["late", metric] = values["late/decision", metric]
        stock["delay", "rmse"] = math.sqrt(stock.pop(("delay", "mse")))
        stock["delay", "bias"] = stock.pop(("delay", "mean_prediction")) - stock.pop(("delay", "mean_label"))
        for key, value in stock.items():
            # TFMA ranks probabilities by 10,000 buckets, Janus by themselves.
            tolerance = 5e-3 if key[1] == "auc" else 1e-6
            np.testing.assert_allclose(
                values[key], value, rtol=tolerance, atol=tolerance, err_msg=f"{key} {record.slice_key}"
            )
            compared += 1
    # Three classes: 3; binary: 4; regression: 3.
    assert compared == 16 * 10
