import numpy as np
import pytest
from tensorflow_model_analysis.metrics import metric_types

from components.metrics import metric
from components.metrics.regression import AbsoluteError, ErrorMoments
from components.metrics.rows import make_rows, one_group

KEY = metric_types.MetricKey(name="_error_moments", model_name="", output_name="delay", example_weighted=True)


def inputs(label: float, prediction: float, weight: float) -> metric_types.StandardMetricInputs:
    return metric_types.StandardMetricInputs(
        labels={"delay": np.array([label])},
        predictions={"delay": np.array([prediction], np.float32), "other": np.array([1.0])},
        example_weights={"delay": np.array([weight])},
    )


@pytest.mark.parametrize("buffered", [1, 3, 1024])
def test_row_by_row_equals_all_at_once(monkeypatch, buffered):
    monkeypatch.setattr(metric, "BUFFERED_ROWS", buffered)
    random = np.random.default_rng(0)
    labels, predictions = random.normal(size=(2, 10))
    weights = np.array([1.0, 0.0] * 5)
    fn = metric.StatisticCombineFn(ErrorMoments(), KEY)
    halves = []
    for half in (range(4), range(4, 10)):
        accumulator = fn.create_accumulator()
        for row in half:
            accumulator = fn.add_input(accumulator, inputs(labels[row], predictions[row], weights[row]))
        halves.append(accumulator)
    state = fn.extract_output(fn.merge_accumulators([fn.create_accumulator(), *halves]))[KEY]
    kept = weights == 1
    expected = ErrorMoments().of_groups(
        make_rows(labels[kept], predictions[kept].astype(np.float32), weights[kept]), one_group(5)
    )
    np.testing.assert_allclose(state, expected[0])


def test_a_missing_label_is_an_error_that_names_the_output():
    fn = metric.StatisticCombineFn(ErrorMoments(), KEY)
    element = metric_types.StandardMetricInputs(labels=None, predictions={"delay": np.array([1.0])})
    with pytest.raises(ValueError, match="output 'delay': there is no label"):
        fn.add_input(fn.create_accumulator(), element)


def test_metrics_of_one_statistic_share_one_computation():
    shared = {
        made.computations(output_names=["delay"], example_weighted=True)[0]
        for made in (AbsoluteError(), AbsoluteError(name="other"))
    }
    assert len(shared) == 1
