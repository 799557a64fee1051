import tensorflow_model_analysis as tfma

from components.batch_evaluator.baseline import comparable_outputs, compare_only
from pipeline.evaluation import eval_config
from tests.pipeline.evaluation_harness import make_config, save_model


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
    assert comparable_outputs(spec, model, same) == {"status", "late", "delay"}
    assert comparable_outputs(spec, model, fewer) == {"late"}
    assert comparable_outputs(spec, model, wider) == {"late", "delay"}


def test_outputs_that_are_not_compared_have_no_change_thresholds():
    gates = {"status": {"auc": {"min": 0.5, "max_drop": 0.1}}, "delay": {"mae": {"max_rise": 0.5}}}
    config = compare_only(eval_config(make_config(gates)), {"late", "delay"})
    candidate, baseline = config.model_specs
    assert (candidate.name, baseline.name) == (tfma.CANDIDATE_KEY, tfma.BASELINE_KEY)
    assert set(candidate.label_keys) == {"status", "late", "delay"}
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
