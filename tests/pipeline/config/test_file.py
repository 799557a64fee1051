"""Configuration: the documented example is accepted, and every mistake is named by its full path."""

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from janus_core.errors import ConfigError
from pipeline.config.file import config_json_schema, load_config, parse_config
from tests.pipeline.small import small_config
from trainer.config import NumericFeature, SharedBottomTrunk

EXAMPLE = """
name: flights
seed: 17
data:
  path: data/flights
  format: csv
  split: {by: time, column: day_of_year, eval_from: 305}
schema: schema/flights.pbtxt
features:
  distance:      {kind: numeric}
  temp:          {kind: numeric, missing: mean}
  sched_dep_min: {kind: cyclical, period: 1440}
  carrier:       {kind: categorical, embed: 8}
  dest:          {kind: categorical, embed: 16, oov_buckets: 1, top_k: 200}
tasks:
  status:    {kind: multiclass, label: status, classes: [on_time, delayed, cancelled], loss_weight: 0.8}
  arr_delay: {kind: regression, label: arr_delay, loss: huber, loss_weight: 0.2, unit: minutes}
model:
  trunk: {kind: shared_bottom, units: [128, 64], dropout: 0.1}
  towers: {default: [32]}
  balancing: {kind: fixed}
training: {epochs: 5, batch_size: 512, learning_rate: 0.001, early_stopping: {patience: 2}}
evaluation:
  slices: [[origin], [carrier]]
  gates:
    status:    {auc: {min: 0.60, max_drop: 0.01}}
    arr_delay: {mae: {max: 30.0, max_rise: 0.5}}
push: {path: models/flights, keep: 5}
beam: {args: []}
"""


def example() -> dict[str, Any]:
    return yaml.safe_load(EXAMPLE)


def changed(path: str, value: Any) -> dict[str, Any]:
    raw = example()
    node = raw
    *parents, last = path.split(".")
    for part in parents:
        node = node.setdefault(part, {})
    node[last] = value
    return raw


def error_of(raw: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(raw)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_documented_example_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "flights.yaml"
    file.write_text(EXAMPLE)
    config = load_config(file)
    assert config.tasks["status"].classes == ["on_time", "delayed", "cancelled"]  # type: ignore[union-attr]
    assert config.schema_ == "schema/flights.pbtxt"
    assert config.evaluation.gates["arr_delay"]["mae"].rules() == {"max": 30.0, "max_rise": 0.5}
    assert config.named_columns()["day_of_year"] == "data.split"
    assert config.named_columns()["origin"] == "evaluation.slices"
    assert config.label_domains() == {"status": ["on_time", "delayed", "cancelled"]}


@pytest.mark.parametrize("file", sorted(Path("configs").glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_configurations_are_valid(file: Path) -> None:
    assert load_config(file).name == file.stem


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("trainnig", {}, ["trainnig: unknown key", "Did you mean 'training'?"]),
        ("training.epoch", 3, ["training.epoch: unknown key", "Did you mean 'epochs'?", "batch_size"]),
        ("features.distance.scal", "log", ["features.distance.scal: unknown key", "Did you mean 'scale'?"]),
        ("features.distance.kind", "numerical", ["features.distance.kind", "Did you mean 'numeric'?", "cyclical"]),
        ("features.distance", {}, ["features.distance.kind: this key is required", "numeric"]),
        ("features.distance.scale", "zscore", ["features.distance.scale", "'z_score'", "'zscore'"]),
        ("features.sched_dep_min.period", 0, ["features.sched_dep_min.period", "greater than 0"]),
        ("training.epochs", "many", ["training.epochs", "integer", "'many'"]),
        ("training.epochs", True, ["training.epochs", "boolean"]),
        ("training.epochs", 0, ["training.epochs", "greater than 0"]),
        ("training.learning_rate", float("nan"), ["training.learning_rate"]),
        ("tasks.status.loss_weight", -0.5, ["tasks.status.loss_weight", "greater than or equal to 0"]),
        ("tasks.status.classes", ["on_time"], ["tasks.status.classes", "at least 2"]),
        ("tasks.status.classes", ["a", "b", "a"], ["tasks.status.classes", "'a' is listed twice"]),
        ("data.null_values", ["delayed"], ["tasks.status.classes: 'delayed' is also a text for missing values"]),
        ("data.thousands", ".", ["data", "are both '.'"]),
        ("tasks.status.classes", [True, False], ["tasks.status.classes.0", "quotes"]),
        ("tasks.arr_delay.label", "status", ["tasks.arr_delay.label", "already the label of task 'status'"]),
        ("features.status", {"kind": "categorical"}, ["features.status", "label of task 'status'", "leaks"]),
        ("features.x", {"kind": "numeric", "column": "arr_delay"}, ["features.x", "label of task 'arr_delay'"]),
        ("evaluation.gates.stattus", {"auc": {"min": 0.5}}, ["evaluation.gates.stattus: no such task"]),
        ("evaluation.gates.status.mae", {"max": 1}, ["evaluation.gates.status.mae", "multiclass", "auc"]),
        ("evaluation.gates.status.auc", {}, ["evaluation.gates.status.auc", "at least one of"]),
        ("evaluation.gates.status.auc", {"min": 0.9, "max": 0.1}, ["nothing can pass"]),
        ("evaluation.slices", [["status"]], ["evaluation.slices", "label of task 'status'"]),
        ("features.carrier.sensitive", True, ["evaluation.slices: 'carrier' is sensitive, and slices are named by"]),
        ("model.towers.stats", [8], ["model.towers.stats: no such task"]),
        ("model.tower_dropout.stats", 0.1, ["model.tower_dropout.stats: no such task"]),
        ("model.members", 0, ["model.members", "greater than 0, got 0"]),
        ("model.members", -1, ["model.members", "greater than 0"]),
        ("model.members", True, ["model.members", "boolean"]),
        (
            "report.baselines",
            ["boosted", "trees"],
            [
                "report.baselines.0: expected 'constant', 'linear' or 'boosting', got 'boosted'. Did you mean",
                "report.baselines.1: expected 'constant', 'linear' or 'boosting', got 'trees'",
            ],
        ),
        ("report.baseline_rows", 0, ["report.baseline_rows"]),
        ("report.baseline_seconds", -1, ["report.baseline_seconds"]),
        ("model.trunk.kind", "mmo", ["model.trunk.kind: 'mmo' is unknown. Did you mean 'mmoe'?", "cross_stitch"]),
        ("model.trunk", "mmoe", ["model.trunk: expected a mapping", "{kind: mmoe}"]),
        ("model.trunk", {"kind": "mmoe", "experts": 0}, ["model.trunk.experts", "greater than 0, got 0"]),
        ("model.trunk", {"kind": "mmoe", "expert": 2}, ["model.trunk.expert: unknown key", "Did you mean 'experts'?"]),
        ("model.trunk", {"experts": 2}, ["model.trunk.experts: unknown key", "units, dropout, activation"]),
        ("model.trunk", {"kind": "cgc", "levels": 2}, ["model.trunk.levels: unknown key", "task_experts"]),
        ("model.trunk", {"kind": "ple", "levels": 0}, ["model.trunk.levels", "greater than 0, got 0"]),
        ("model.trunk", {"kind": "ple", "task_experts": True}, ["model.trunk.task_experts", "boolean"]),
        ("model.trunk", {"kind": "cross_stitch", "alpha": 1.5}, ["model.trunk.alpha", "less than or equal to 1"]),
        ("model.trunk", {"kind": "none", "units": []}, ["model.trunk.units", "at least 1"]),
        ("model.balancing.kind", "gradnom", ["model.balancing.kind: 'gradnom' is unknown. Did you mean 'gradnorm'?"]),
        ("model.balancing", {"kind": "dwa", "alpha": 1}, ["model.balancing.alpha: unknown key", "temperature"]),
        ("model.balancing", {"kind": "cagrad", "c": 1.0}, ["model.balancing.c", "less than 1"]),
        ("model.balancing", {"kind": "famo", "gamma": True}, ["model.balancing.gamma", "boolean"]),
        ("model.trunk.kind", "shared", ["model.trunk.kind", "'shared_bottom'"]),
        ("model.trunk.dropout", 1.0, ["model.trunk.dropout", "less than 1"]),
        ("data.split", {"by": "random"}, ["data.split.by", "hash", "'random'"]),
        ("data.split.eval_fraction", 0.2, ["data.split.eval_fraction: unknown key", "eval_from"]),
        ("data.window", 3, ["data.window: a window of 3 spans needs {SPAN}", "in data.path, which is 'data/flights'"]),
        ("data.window", 0, ["data.window", "greater than 0"]),
        ("data.window", True, ["data.window", "boolean"]),
        ("push.keep", 0, ["push.keep", "greater than 0"]),
        ("name", "a/b", ["name", "letters, digits and _"]),
        ("name", "a" * 64, ["name: a name of 64 characters; at most 63 are allowed"]),
        ("features", {"f" * 129: {"kind": "numeric"}}, ["a name of 129 characters; at most 128 are allowed"]),
        ("tasks.arr_delay.label", False, ["arr_delay.label: expected a text, which YAML read as False; put"]),
        ("evaluation.slices", [[1e3]], ["evaluation.slices.0.0: expected a text, which YAML read as 1000.0; put it"]),
        ("tasks", {}, ["tasks", "at least 1"]),
        ("seed", -1, ["seed", "greater than or equal to 0"]),
    ],
)  # fmt: skip
def test_mistakes_are_named(path: str, value: Any, expected: list[str]) -> None:
    message = error_of(changed(path, value))
    for part in expected:
        assert part in message


@pytest.mark.parametrize("trunk", [{}, {"units": [64]}, {"kind": "shared_bottom"}])
def test_a_trunk_without_a_kind_is_a_shared_bottom(trunk: dict[str, Any]) -> None:
    assert parse_config(changed("model.trunk", trunk)).model.trunk == SharedBottomTrunk(**trunk)


def test_a_task_named_as_shared_experts_are() -> None:
    raw = changed("model.trunk", {"kind": "ple"})
    raw["tasks"]["shared"] = {"kind": "regression", "label": "times_shared"}
    assert "tasks.shared: the experts of all tasks are called so in a ple trunk" in error_of(raw)
    raw["model"]["trunk"] = {"kind": "mmoe"}
    assert "shared" in parse_config(raw).tasks


KINDS: dict[str, Any] = {
    "visits": {"kind": "count", "label": "visits", "sample_weight": "importance"},
    "grade": {"kind": "ordinal", "label": "grade", "classes": ["low", "high"], "class_weights": {"high": 2}},
    "topics": {"kind": "multilabel", "label": "topics", "classes": ["a", "b"], "separator": "|"},
    "tags": {"kind": "multilabel", "label": "tags", "classes": ["a", "b"], "sample_weight": "distance"},
    "click": {"kind": "binary", "label": "click", "loss": "focal"},
    "buy": {"kind": "binary", "label": "buy", "given": "click"},
    "delay": {"kind": "regression", "label": "delay", "loss": "quantile", "quantiles": [0.1, 0.5, 0.9]},
}


def test_every_kind_of_task_is_accepted_with_gates_on_its_own_metrics() -> None:
    raw = example()
    raw["tasks"] = KINDS
    metrics = {
        "visits": "deviance",
        "grade": "qwk",
        "topics": "subset_accuracy",
        "tags": "auc_pr",
        "click": "ece",
        "buy": "auc",
        "delay": "coverage",
    }
    raw["evaluation"]["gates"] = {name: {metric: {"min": 0.0}} for name, metric in metrics.items()}
    config = parse_config(raw)
    assert config.named_columns()["importance"] == "tasks.visits.sample_weight"
    assert config.named_columns()["distance"] == "features.distance", "a weight may be a feature, too"
    assert config.label_domains() == {
        "grade": ["low", "high"],
        "tags": ["a", "b"],
        "click": ["0", "1"],
        "buy": ["0", "1"],
    }
    assert config.separated_labels() == {"topics": "|"}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("tasks.click.given", "buy", ["tasks.click.given", "tasks.buy.given", "a cycle, click → buy → click"]),
        ("tasks.buy.given", "buy", ["tasks.buy.given", "cannot be given itself"]),
        ("tasks.buy.given", "clicks", ["tasks.buy.given", "no task 'clicks'", "click"]),
        ("tasks.buy.given", "visits", ["tasks.buy.given", "a count task, it must be a binary one"]),
        ("tasks.delay.quantiles", [0.0, 0.5], ["tasks.delay.quantiles.0", "greater than 0"]),
        ("tasks.delay.quantiles", [0.5, 1.5], ["tasks.delay.quantiles.1", "less than 1"]),
        ("tasks.delay.quantiles", [0.9, 0.1], ["tasks.delay.quantiles", "ascending"]),
        ("tasks.delay.quantiles", None, ["tasks.delay", "needs `quantiles`"]),
        ("tasks.delay.loss", "mae", ["tasks.delay", "`quantiles` goes with `loss: quantile` only"]),
        ("tasks.visits.sample_weight", "buy", ["tasks.visits.sample_weight: column 'buy' is the label of task 'buy'"]),
        ("tasks.visits.sample_weight", "visits", ["tasks.visits.sample_weight", "label of task 'visits'"]),
        ("tasks.visits.kind", "counts", ["tasks.visits.kind: 'counts' is unknown. Did you mean 'count'?"]),
        ("tasks.topics.classes", ["a"], ["tasks.topics.classes", "at least 2"]),
        ("tasks.topics.classes", ["a", "b", "a"], ["tasks.topics.classes: 'a' is listed twice"]),
        ("tasks.grade.class_weights", {"hihg": 2}, ["tasks.grade.class_weights", "'hihg' is not one of the classes"]),
        ("evaluation.gates.delay.deviance", {"max": 1}, ["evaluation.gates.delay.deviance", "pinball, coverage"]),
        ("evaluation.gates.topics.mae", {"max": 1}, ["evaluation.gates.topics.mae", "multilabel", "subset_accuracy"]),
        ("evaluation.gates.grade.auc_pr", {"min": 1}, ["evaluation.gates.grade.auc_pr", "ordinal", "qwk"]),
    ],
)  # fmt: skip
def test_mistakes_in_the_kinds_of_task_are_named(path: str, value: Any, expected: list[str]) -> None:
    raw = changed("tasks", copy.deepcopy(KINDS))
    raw["evaluation"]["gates"] = {}
    node: Any = raw
    *parents, last = path.split(".")
    for part in parents:
        node = node.setdefault(part, {})
    node[last] = value
    message = error_of(raw)
    for part in expected:
        assert part in message


def test_coverage_and_pinball_need_quantiles() -> None:
    raw = changed("evaluation.gates", {"arr_delay": {"coverage": {"min": 0.7}}})
    assert "evaluation.gates.arr_delay.coverage: not a metric of this regression task" in error_of(raw)
    raw["tasks"]["arr_delay"] |= {"loss": "quantile", "quantiles": [0.5]}
    allowed = error_of(raw).partition("; allowed: ")[2].split(", ")
    assert (allowed[0], allowed[-1]) == ("mae", "pinball")
    raw["tasks"]["arr_delay"]["quantiles"] = [0.1, 0.9]
    assert parse_config(raw).evaluation.gates["arr_delay"]["coverage"].min == 0.7


@pytest.mark.parametrize("path", ["data/{SPAN}", "data/day-{SPAN:3}/v{VERSION}", "data/{YYYY}/{MM}-{DD}/*.csv"])
def test_a_window_goes_with_spans(path: str) -> None:
    assert parse_config(changed("data", {"path": path, "window": 3})).data.window == 3


def test_required_keys() -> None:
    raw = example()
    del raw["push"], raw["tasks"]["status"]["label"]
    message = error_of(raw)
    assert "push: this key is required" in message
    assert "tasks.status.label: this key is required" in message


def test_all_weights_zero() -> None:
    raw = example()
    for task in raw["tasks"].values():
        task["loss_weight"] = 0
    assert "every loss_weight is 0" in error_of(raw)


def test_boundaries() -> None:
    assert "ascending" in error_of(
        changed("features.distance", {"kind": "numeric", "scale": "bucketize", "boundaries": [2, 1]})
    )
    assert "requires" in error_of(changed("features.distance", {"kind": "numeric", "boundaries": [1, 2]}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: [", "not valid YAML"),
        ("- a", "must hold a mapping"),
        ("", "must hold a mapping"),
        ("name: a\nname: b", "given twice"),
        ("name: !!python/object/apply:os.system ['true']", "not valid YAML"),
        ("seed: 2024-02-30", "day is out of range for month.*needs quotes"),
        ("data: {split: {eval_from: 2024-13-45}}", "month must be in 1..12"),
        ("seed: !!int x", "of the type that it has the form or the tag of"),
        ("seed: !!float x", "not valid YAML"),
        ("seed: !!bool x", "not valid YAML"),
        ("seed: !!timestamp x", "not valid YAML"),
        ("? [a]\n: 1", "a key must be a text"),
        ("{{a: 1}: 2}", "a key must be a text"),
        ("seed: {[1]: 2}", "a key must be a text"),
        ("[" * 5000, "nested too deeply"),
        ("seed: " + "1" * 5000, "not valid YAML"),
        ('name: "a\\0b"', "a NUL"),
        ('name: "\\ud800"', "half of a surrogate pair"),
    ],
)
def test_unreadable_files(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        load_config(file)


def test_keys_that_yaml_takes_for_other_things_are_names(tmp_path: Path) -> None:
    names = ["NO", "on", "yes", "null", "Off", "true", "y", "x1e3"]
    raw = changed("features", {})
    text = yaml.safe_dump({**raw, "features": None}).replace("features: null\n", "features:\n")
    text = text.replace("features:\n", "features:\n" + "".join(f"  {name}: {{kind: numeric}}\n" for name in names))
    (tmp_path / "a.yaml").write_text(text)
    assert list(load_config(tmp_path / "a.yaml").features) == names
    (tmp_path / "a.yaml").write_text(text.replace("  yes:", "  'NO':"))
    with pytest.raises(ConfigError, match="key 'NO' is given twice"):
        load_config(tmp_path / "a.yaml")


def test_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "flights.yaml").write_text(EXAMPLE)
    with pytest.raises(ConfigError, match=r"Did you mean .*flights\.yaml"):
        load_config(tmp_path / "flight.yaml")


def test_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(file)


def test_overrides(tmp_path: Path) -> None:
    file = tmp_path / "flights.yaml"
    file.write_text(EXAMPLE)
    config = load_config(
        file,
        [
            "training.epochs=2",
            "model.trunk.units=[16]",
            "features.distance.scale=log",
            "tasks.status.classes.1=late",
            "training.early_stopping=null",
            "evaluation.slices=[]",
        ],
    )
    assert config.training.epochs == 2
    assert config.model.trunk.units == [16]
    assert isinstance(config.features["distance"], NumericFeature)
    assert config.features["distance"].scale == "log"
    assert config.tasks["status"].classes[1] == "late"  # type: ignore[union-attr]
    assert config.training.early_stopping is None
    assert config.evaluation.slices == []


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs", "expected key.path=value"),
        ("=3", "expected key.path=value"),
        ("training.epochs.x=1", "is a value"),
        ("tasks.status.classes.9=x", "no index"),
        ("tasks.status.classes.²=x", "no index"),
        ("tasks.status.classes.-1=x", "no index"),
        ("tasks.status.classes.0.0=x", "tasks.status.classes.0 is a value"),
        ("seed=2024-02-30", "the value is not valid YAML.*day is out of range"),
        ("seed={[1]: 2}", "a key must be a text"),
        ("training.epochs=[", "not valid YAML"),
        ("training.epocs=1", "Did you mean 'epochs'"),
    ],
)
def test_wrong_overrides(tmp_path: Path, override: str, expected: str) -> None:
    file = tmp_path / "flights.yaml"
    file.write_text(EXAMPLE)
    with pytest.raises(ConfigError, match=expected):
        load_config(file, [override])


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("model.trunk.units", [100_000_000], r"model\.\w+: the network would have at least .* GB to train; at most 1,"),
        ("model.trunk", {"kind": "ple", "levels": 10**9}, r"model\.trunk: the network would have at least"),
        ("model.members", 10**9, "the network would have at least"),
        ("features.x", {"kind": "hashed", "buckets": 10**9}, r"features\.x: the network would have at least"),
        ("features.x", {"kind": "vector", "length": 10**9}, r"model\.trunk: the network would have at least"),
        ("training.epochs", 10**30, r"training\.epochs: expected a number of at most 64 bits"),
        ("push.path", "", r"push\.path: it must name a folder"),
        ("push.path", " ", r"push\.path: it must name a folder"),
        ("push.path", "a\0b", r"push\.path: it must name a folder"),
    ],
)
def test_absurd_values(path: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parse_config(changed(path, value))


def test_json_schema_is_closed_and_whole() -> None:
    schema = json.loads(config_json_schema())
    assert schema["additionalProperties"] is False
    assert {"name", "data", "schema", "features", "tasks", "push"} <= set(schema["properties"])
    assert "schema_" not in schema["properties"]


@pytest.mark.parametrize(
    ("loss", "gates", "expected"),
    [
        ({}, {"mae": {"max": 3}}, "mae"),
        ({}, {"mae": {"max": 3}, "rmse": {"max": 3}}, "mse"),
        ({}, {"r2": {"min": 0.1}}, "mse"),
        ({}, {}, "mse"),
        ({"loss": "mse"}, {"mae": {"max": 3}}, "mse"),
        ({"loss": "huber"}, {"mae": {"max": 3}}, "huber"),
        ({"loss": "quantile", "quantiles": [0.5]}, {"mae": {"max": 3}}, "quantile"),
    ],
)
def test_a_loss_that_is_not_set_follows_the_gate(loss: dict, gates: dict, expected: str) -> None:
    raw = example()
    raw["tasks"]["arr_delay"] = {"kind": "regression", "label": "arr_delay", **loss}
    raw["evaluation"]["gates"]["arr_delay"] = gates
    config = parse_config(raw)
    assert config.trainer_config().tasks["arr_delay"].loss == config.tasks["arr_delay"].loss == expected


def test_the_newest_rows_are_held_out_by_the_time_of_the_split() -> None:
    by_time = changed("training.validation", "newest")
    config = parse_config(by_time).trainer_config()
    assert config.time is not None
    assert config.time.column == config.preprocessing().time == by_time["data"]["split"]["column"]
    assert parse_config(example()).trainer_config().time is None
    by_hash = {**by_time, "data": {**by_time["data"], "split": {"by": "hash"}}}
    assert "training.validation: newest needs the rows' times" in error_of(by_hash)


def test_trainer_config_is_unmoved_by_evaluation_and_push() -> None:
    base = parse_config(example()).trainer_config()
    assert parse_config(changed("evaluation.gates", {})).trainer_config() == base
    assert parse_config(changed("push.keep", 2)).trainer_config() == base
    other = parse_config(changed("model.trunk.units", [8])).trainer_config()
    assert other != base
    assert other.preprocessing() == base.preprocessing()
    assert parse_config(changed("features.carrier.embed", 3)).trainer_config().preprocessing() == base.preprocessing()
    assert parse_config(changed("features.dest.top_k", 3)).trainer_config().preprocessing() != base.preprocessing()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_value_anywhere_is_accepted_or_a_config_error(data: st.DataObject) -> None:
    raw = copy.deepcopy(example())
    node: Any = raw
    while True:
        key = data.draw(st.sampled_from(sorted(node)))
        if not isinstance(node[key], dict) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    node[key] = data.draw(JSON)
    with contextlib.suppress(ConfigError):
        assert parse_config(raw).name


def test_a_data_gate_is_of_a_feature_that_exists_and_a_share(tmp_path: Path) -> None:
    small_config(tmp_path, data_gates={"missing": {"level": "error", "features": {"distance": 0.1}}})
    with pytest.raises(ConfigError, match=r"data_gates\.missing\.features\.city: no such feature"):
        small_config(tmp_path, data_gates={"missing": {"features": {"city": 0.1}}})
    with pytest.raises(ConfigError, match=r"data_gates\.duplicates\.max"):
        small_config(tmp_path, data_gates={"duplicates": {"max": 5}})
    keyed = small_config(tmp_path, data_gates={"shared_keys": {"columns": ["customer", "carrier"]}})
    assert keyed.sensitive_columns() == ["customer"], "a feature is shown all the same"
    assert keyed.named_columns()["customer"] == "data_gates.shared_keys.columns"


def test_sensitive_columns_are_those_of_features_and_of_a_key(tmp_path: Path) -> None:
    features = {
        "age": {"kind": "numeric"},
        "who": {"kind": "hashed", "buckets": 9, "column": "mail", "sensitive": True},
    }
    split = {"by": "hash", "key": ["customer", "age"]}
    config = small_config(tmp_path, features=features, data={"path": "data", "split": split}, evaluation={})
    assert config.sensitive_columns() == ["customer", "mail"], "age is a feature, which is shown"
