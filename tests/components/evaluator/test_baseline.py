from dataclasses import replace

import numpy as np
import tensorflow_model_analysis as tfma

from components.evaluator.baseline import comparable_outputs, compare_only
from pipeline.evaluation import eval_config
from tests.pipeline.evaluation_harness import make_config, save_model
from tests.pipeline.kinds_harness import kinds_config, kinds_table, save_kinds_model


def test_outputs_are_comparable_where_both_models_have_them_in_one_shape(tmp_path):
    (spec,) = eval_config(make_config()).model_specs
    model, same, fewer, wider = (
        str(save_model(tmp_path / name, **options) / "Format-Serving")
        for name, options in (
            ("model", {}),
            ("same", {"delay_offset": 1.0}),
            ("fewer", {"tasks": ["late"]}),
            ("wider", {"classes": 4}),
        )
    )
    assert comparable_outputs(spec, model, same) == {"status", "late", "late/decision", "delay"}
    assert comparable_outputs(spec, model, fewer) == {"late", "late/decision"}
    assert comparable_outputs(spec, model, wider) == {"late", "late/decision", "delay"}


def test_a_task_that_became_one_of_another_kind_is_not_comparable(tmp_path):
    table = kinds_table(2)
    wider = replace(table, labels={**table.labels, "visits": np.zeros((2, 3), np.float32)})
    (spec,) = eval_config(kinds_config()).model_specs
    model, other_type, other_width, no_quantiles = (
        str(save_kinds_model(tmp_path / str(place), of_table, **options) / "Format-Serving")
        for place, (of_table, options) in enumerate(
            [
                (table, {}),
                (table, {"whole": ["grade", "buy"]}),
                (wider, {}),
                (table, {"without": ["delay/quantiles", "buy/decision"]}),
            ]
        )
    )
    every = set(spec.label_keys)
    assert comparable_outputs(spec, model, model) == every
    assert comparable_outputs(spec, model, other_type) == every - {"click", "click/decision", "names"}
    assert comparable_outputs(spec, model, other_width) == every - {"visits"}
    assert comparable_outputs(spec, model, no_quantiles) == every - {"delay/quantiles", "buy/decision"}


def test_outputs_that_are_not_compared_have_no_change_thresholds():
    gates = {"status": {"auc": {"min": 0.5, "max_drop": 0.1}}, "delay": {"mae": {"max_rise": 0.5}}}
    config = compare_only(eval_config(make_config(gates)), {"late", "delay"})
    candidate, baseline = config.model_specs
    assert (candidate.name, baseline.name) == (tfma.CANDIDATE_KEY, tfma.BASELINE_KEY)
    assert set(candidate.label_keys) == {"status", "late", "late/decision", "delay"}
    assert set(baseline.label_keys) == set(baseline.example_weight_keys) == {"late", "delay"}
    thresholds = {
        (key.output_name, key.is_diff)
        for key in tfma.metrics.metric_thresholds_from_metrics_specs(config.metrics_specs, eval_config=config)
        if key.output_name and key.model_name == tfma.CANDIDATE_KEY
    }
    assert thresholds == {("status", False), ("delay", True)}
    # TFX fills in defaults once more, which must change nothing.
    again = tfma.utils.update_eval_config_with_defaults(config, has_baseline=True, rubber_stamp=True)
    assert again == config
