"""Gates follow the direction and the range that the catalogue of metrics has."""

from typing import Any

import pytest

from janus_core.errors import ConfigError
from janus_core.kinds import KINDS
from pipeline.config.file import parse_config
from pipeline.evaluation import gates_of
from tests.pipeline.config.test_file import changed

TASKS = {
    "late": {"kind": "binary", "label": "late"},
    "grade": {"kind": "ordinal", "label": "grade", "classes": ["a", "b", "c"]},
    "visits": {"kind": "count", "label": "visits"},
    "delay": {"kind": "regression", "label": "delay", "loss": "quantile", "quantiles": [0.1, 0.9]},
}


def problem_of(task: str, gates: dict[str, Any]) -> str:
    raw = changed("tasks", TASKS)
    raw["evaluation"] = {"gates": {task: gates}}
    with pytest.raises(ConfigError) as caught:
        parse_config(raw)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("task", "metric", "gate", "expected"),
    [
        ("delay", "mae", {"max_drop": 1}, "mae.max_drop: a drop of mae is no harm, lower is better; write max_rise"),
        ("visits", "deviance", {"max_drop": 1}, "deviance.max_drop: a drop of deviance is no harm"),
        ("late", "auc", {"max_rise": 0.1}, "auc.max_rise: a rise of auc is no harm, higher is better; write max_drop"),
        ("delay", "bias", {"max_drop": 1}, "bias.max_drop: a drop of bias is no harm, which is best at one value"),
        ("late", "auc", {"min": 2}, "auc.min: 2 is outside the range of auc, 0 to 1; write 0.02 for 2 %"),
        ("late", "ece", {"max": -0.1}, "ece.max: -0.1 is outside the range of ece, 0 to 1"),
        ("delay", "mae", {"max": -1}, "mae.max: -1 is outside the range of mae, 0 or above"),
        ("late", "log_loss", {"max": -1}, "log_loss.max: -1 is outside the range of log_loss, 0 or above"),
        ("delay", "r2", {"min": 1.5}, "r2.min: 1.5 is outside the range of r2, 1 or below"),
        ("grade", "qwk", {"min": -2}, "qwk.min: -2 is outside the range of qwk, -1 to 1"),
        ("late", "auc", {"max_drop": 3}, "auc.max_drop: auc cannot change by 3, its range is 0 to 1"),
        ("delay", "mae", {"min": 30}, "mae.min: lower is better of mae, so this alone blocks the better models"),
        ("late", "auc", {"max": 0.7}, "auc.max: higher is better of auc, so this alone blocks the better models"),
        ("delay", "bias", {"min": 2}, "bias.min: 2 excludes 0, the best bias"),
    ],
)
def test_a_gate_in_the_wrong_direction_or_out_of_range_is_refused(
    task: str, metric: str, gate: dict[str, float], expected: str
) -> None:
    assert f"evaluation.gates.{task}.{expected}" in problem_of(task, {metric: gate})


@pytest.mark.parametrize(
    ("task", "metric", "gate"),
    [
        ("late", "auc", {"min": 0.5, "max": 0.99, "max_drop": 0.01}),
        ("late", "auc", {"max_drop": 1}),
        ("delay", "mae", {"min": 1, "max": 30, "max_rise": 0.5}),
        ("delay", "bias", {"min": -5, "max": 5, "max_rise": 1}),
        ("delay", "bias", {"min": -5}),
        ("delay", "coverage", {"min": 0.75, "max": 0.85}),
        ("delay", "coverage", {"min": 0.9}),
        ("grade", "qwk", {"min": -0.5, "max_drop": 2}),
        ("grade", "mae", {"max": 1.5}),
        ("delay", "r2", {"min": -3}),
    ],
)
def test_a_gate_in_the_right_direction_is_accepted(task: str, metric: str, gate: dict[str, float]) -> None:
    raw = changed("tasks", TASKS)
    raw["evaluation"] = {"gates": {task: {metric: gate}}}
    assert parse_config(raw).evaluation.gates[task][metric].rules() == gate


# --- confidence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ({"max_drop": {"limit": 0.01, "confidence": 1.5}}, ["auc.max_drop.confidence", "less than 1"]),
        ({"max_drop": {"limit": 0.01, "confidence": 0.1}}, ["auc.max_drop.confidence", "greater than or equal to 0.5"]),
        ({"max_drop": {"limit": -1}}, ["auc.max_drop.limit", "greater than or equal to 0"]),
        ({"max_drop": {"confidence": 0.9}}, ["auc.max_drop.limit: this key is required"]),
        ({"max_drop": {"limit": 0.1, "confidense": 0.9}}, ["auc.max_drop.confidense", "Did you mean 'confidence'?"]),
        ({"max_drop": {"limit": 2}}, ["auc.max_drop: auc cannot change by 2"]),
        ({"max_rise": {"limit": 0.1}}, ["auc.max_rise: a rise of auc is no harm"]),
        ({"max_drop": "much"}, ["auc.max_drop: expected a valid number"]),
        ({"max_drop": -0.1}, ["auc.max_drop", "greater than or equal to 0"]),
        ({"min": {"limit": 0.1}}, ["auc.min: expected a valid number"]),
    ],
)  # fmt: skip
def test_mistakes_in_a_limit_with_confidence_are_named(gate: dict[str, Any], expected: list[str]) -> None:
    message = problem_of("late", {"auc": gate})
    for part in expected:
        assert part in message
    assert message.count("evaluation.gates") == 1


def test_a_limit_on_a_change_is_a_number_or_has_a_confidence() -> None:
    raw = changed("tasks", TASKS)
    gates = {"auc": {"min": 0.5, "max_drop": {"limit": 0.02}}, "ece": {"max_rise": 0.1}}
    raw["evaluation"] = {"gates": {"late": gates}}
    config = parse_config(raw)
    assert config.evaluation.gates["late"]["auc"].rules() == {"min": 0.5, "max_drop": 0.02}
    assert [(gate.rule, gate.limit, gate.confidence, gate.by_tfma) for gate in gates_of(config)] == [
        ("min", 0.5, None, True),
        ("max_drop", 0.02, 0.9, False),
        ("max_rise", 0.1, None, True),
    ]
    assert parse_config(config.model_dump(mode="json", by_alias=True)) == config


# --- slices and gaps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ({"slices": {"carier": {"auc": {"min": 0.5}}}}, ["slices.carier: no such slice. Did you mean 'carrier'?"]),
        ({"gap": {"origin": {"auc": {"max": 0.5}}}}, ["gap.origin: no such slice", "must be in evaluation.slices"]),
        ({"slices": {"carrier": {"acu": {"min": 0.5}}}}, ["slices.carrier.acu: not a metric of this binary task"]),
        ({"slices": {"carrier": {"auc": {"min": 0.5, "min_rows": 0}}}}, ["carrier.auc.min_rows", "greater than 0"]),
        ({"slices": {"carrier": {"auc": {"min": 5}}}}, ["slices.carrier.auc.min: 5 is outside the range of auc"]),
        ({"slices": {"carrier": {"auc": {"max": 0.5}}}}, ["slices.carrier.auc.max", "blocks the better models"]),
        ({"slices": {"carrier": {"auc": {"max_drop": 0.5}}}}, ["auc.max_drop: unknown key", "min, max, min_rows"]),
        ({"slices": {"carrier": {"auc": {}}}}, ["slices.carrier.auc: a gate on slices needs at least one of min, max"]),
        ({"gap": {"carrier": {"auc": {"max": 2}}}}, ["gap.carrier.auc.max: auc cannot differ by 2, its range"]),
        ({"gap": {"carrier": {"auc": {"max": -0.1}}}}, ["gap.carrier.auc.max", "greater than or equal to 0"]),
        ({"slices": {"late": {"auc": {"min": 0.5}}}}, ["'late' is the label of task 'late'"]),
        ({"slice": {"carrier": {"auc": {"min": 0.5}}}}, ["'slice' is no metric. Did you mean 'slices'?"]),
    ],
)  # fmt: skip
def test_mistakes_in_gates_on_slices_are_named(gates: dict[str, Any], expected: list[str]) -> None:
    message = problem_of("late", gates)
    for part in expected:
        assert part in message


def test_gates_on_slices_are_flattened_and_their_slices_evaluated() -> None:
    raw = changed("tasks", TASKS)
    gates = {
        "auc": {"min": 0.6},
        "slices": {"carrier": {"ece": {"max": 0.1}}, "carrier,dest": {"auc": {"min": 0.5, "min_rows": 30}}},
        "gap": {"carrier": {"auc": {"max": 0.2}}},
    }
    raw["evaluation"] = {"slices": [["carrier", "dest"]], "gates": {"late": gates, "delay": {"bias": {"max_rise": 1}}}}
    config = parse_config(raw)
    assert config.evaluation.slices == [["carrier", "dest"], ["carrier"]]
    assert config.evaluation.gated("late") == ["auc", "ece"]
    found = [(gate.metric, gate.rule, gate.over, gate.columns, gate.min_rows) for gate in gates_of(config)]
    assert found == [
        ("auc", "min", "rows", [], 1),
        ("ece", "max", "slices", ["carrier"], 100),
        ("auc", "min", "slices", ["carrier", "dest"], 30),
        ("auc", "max", "gap", ["carrier"], 100),
        ("bias", "max_rise", "rows", [], 1),
    ]
    # TFMA would judge by the sign.
    assert [gate.by_tfma for gate in gates_of(config)] == [True, False, False, False, False]
    assert parse_config(config.model_dump(mode="json", by_alias=True)) == config


def test_every_probabilistic_kind_can_be_gated_by_its_calibration() -> None:
    assert {name for name, kind in KINDS.items() if "ece" in [metric.name for metric in kind.metrics]} == {
        "binary",
        "multiclass",
        "ordinal",
        "multilabel",
    }


def test_every_metric_has_a_range_that_holds_its_best_value() -> None:
    for kind in KINDS.values():
        for metric in kind.metrics:
            least, greatest = metric.range
            assert least < greatest
            assert least <= (metric.best([0.1, 0.9]) or 0.0) <= greatest
            assert metric.better != "low" or least == 0
            assert metric.better != "high" or greatest == 1
