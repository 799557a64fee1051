import json

import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import wrappers_pb2
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.plan import NotBatchedError, make_plan
from components.metrics.regression import ErrorMoments
from pipeline.evaluation import eval_config
from tests.pipeline.evaluation_harness import make_config


def filled_in(config: config_pb2.EvalConfig, has_baseline: bool = False) -> config_pb2.EvalConfig:
    return tfma.utils.update_eval_config_with_defaults(config, has_baseline=has_baseline, rubber_stamp=True)


def test_metrics_of_a_task_share_their_statistics():
    plan = make_plan(filled_in(eval_config(make_config(tasks=["delay"]))))
    assert [type(computation.statistic).__name__ for computation in plan.computations] == [
        "WeightSum",
        "RowCount",
        "ErrorMoments",
    ]
    assert len(plan.derived) == 5
    assert plan.baseline is None


def test_a_baseline_doubles_the_computations():
    config = eval_config(make_config(slices=[["origin"], ["origin", "hour"], ["origin"]]))
    plan = make_plan(filled_in(config, has_baseline=True))
    assert plan.baseline == tfma.BASELINE_KEY
    models = [
        computation.inputs[0] for computation in plan.computations if isinstance(computation.statistic, ErrorMoments)
    ]
    assert models == [tfma.CANDIDATE_KEY, tfma.BASELINE_KEY]
    assert plan.slices == ((), ("origin",), ("hour", "origin"))


def test_without_slices_there_is_one_of_all_rows():
    config = filled_in(eval_config(make_config()))
    del config.slicing_specs[:]
    assert make_plan(config).slices == ((),)


def add_stock_metric(config: config_pb2.EvalConfig) -> None:
    config.metrics_specs[-1].metrics.add(class_name="MeanLabel", config=json.dumps({"name": "mean_label"}))


def add_confidence_intervals(config: config_pb2.EvalConfig) -> None:
    config.options.compute_confidence_intervals.CopyFrom(wrappers_pb2.BoolValue(value=True))


def add_fixed_slice(config: config_pb2.EvalConfig) -> None:
    config.slicing_specs.add(feature_values={"origin": "JFK"})


def add_cross_slice(config: config_pb2.EvalConfig) -> None:
    config.cross_slicing_specs.add(baseline_spec=config_pb2.SlicingSpec(), slicing_specs=[config_pb2.SlicingSpec()])


def set_smallest_slice(config: config_pb2.EvalConfig) -> None:
    config.options.min_slice_size.CopyFrom(wrappers_pb2.Int32Value(value=10))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_stock_metric, "metric _weighted_labels_predictions_examples"),
        (add_confidence_intervals, "confidence intervals"),
        (add_fixed_slice, "slices of a fixed value"),
        (add_cross_slice, "comparisons between slices"),
        (set_smallest_slice, "a minimal slice size"),
    ],
)
def test_what_is_not_computed_from_batches_is_named(change, message):
    config = filled_in(eval_config(make_config()))
    change(config)
    with pytest.raises(NotBatchedError, match=message):
        make_plan(config)
