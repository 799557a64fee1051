"""What each component of the pipeline depends on: its parameters are its cache key."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.orchestration.pipeline import Pipeline

from pipeline import dag
from pipeline.config.kubeflow import STEPS
from pipeline.dag import (
    Places,
    create_data_pipeline,
    create_pipeline,
    create_schema_pipeline,
    create_tuning_pipeline,
    example_gen_of,
    expectations_of,
)
from pipeline.schema import read_schema
from tests.pipeline.small import small_config, write_table
from trainer.config import TrainerConfig

SCHEMA = """
feature { name: "distance" type: INT }
feature { name: "carrier" type: BYTES }
feature { name: "late" type: BYTES }
feature { name: "delay" type: FLOAT }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table and its schema."""
    monkeypatch.chdir(tmp_path)
    write_table(Path())
    Path("small.pbtxt").write_text(SCHEMA)
    return Path()


def build(folder: Path, **changed: Any) -> Pipeline:
    places = Places(
        root="runs/small/root",
        metadata="runs/small/metadata.db",
        schemas=Path("runs/small/schemas"),
        checkpoints="runs/small/checkpoints",
        analyzer_cache="runs/small/analyzer_cache",
    )
    return create_pipeline(small_config(folder, **{"schema": "small.pbtxt", **changed}), places)


def parameters(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    return {node.id: {key: str(value) for key, value in node.exec_properties.items()} for node in pipeline.components}


def changed_nodes(folder: Path, **changed: Any) -> set[str]:
    before, after = parameters(build(folder)), parameters(build(folder, **changed))
    assert list(before) == list(after)
    return {node for node in before if before[node] != after[node]}


def test_the_components_are_there_in_order(folder: Path) -> None:
    names = [node.id for node in build(folder).components]
    assert sorted(names) == sorted(
        [
            "ExampleGen",
            "StatisticsGen",
            "ImportSchemaGen",
            "ExampleValidator",
            "AnomalyGate",
            "Transform",
            "Baselines",
            "Trainer",
            "Resolver",
            "Evaluator",
            "ServingCheck",
            "Pusher",
        ]
    )
    assert "SchemaGen" in [node.id for node in build(folder, schema=None).components]


def test_nothing_is_trained_before_the_gate(folder: Path) -> None:
    nodes = {node.id: node for node in build(folder).components}
    for name in ("Transform", "Trainer"):
        assert nodes["AnomalyGate"] in nodes[name].upstream_nodes


WINDOW = {"path": "data/{SPAN}", "window": 3}


def test_a_window_adds_a_resolver_between_the_gate_and_transform(folder: Path) -> None:
    alone, windowed = (
        {node.id: node for node in build(folder, data=data).components} for data in ({**WINDOW, "window": 1}, WINDOW)
    )
    assert "WindowResolver" not in alone
    assert windowed.keys() - alone.keys() == {"WindowResolver"}
    window, transform = windowed["WindowResolver"], windowed["Transform"]
    assert windowed["AnomalyGate"] in window.upstream_nodes
    assert windowed["ExampleGen"] in window.upstream_nodes
    assert transform.inputs["examples"] == window.outputs["examples"]
    for name in ("StatisticsGen", "Evaluator"):
        assert windowed[name].inputs["examples"] == windowed["ExampleGen"].outputs["examples"]
    for name in alone.keys() - {"Transform"}:
        assert str(alone[name].exec_properties) == str(windowed[name].exec_properties)
    assert "analyzer_cache" not in alone["Transform"].exec_properties
    assert transform.exec_properties["analyzer_cache"] == "runs/small/analyzer_cache"


def test_no_parameter_knows_the_machine(folder: Path, tmp_path: Path) -> None:
    given = parameters(build(folder))
    text = str({node: values for node, values in given.items() if node != "Resolver"})
    for place in (str(tmp_path), str(Path(__file__).parents[2]), str(Path.home())):
        assert place not in text


@pytest.mark.parametrize(
    ("changed", "nodes"),
    [
        ({}, set()),
        ({"evaluation": {"gates": {"delay": {"mae": {"max": 5.0}}}}}, {"Evaluator"}),
        ({"model": {"trunk": {"units": [16]}, "towers": {"default": [4]}}}, {"Trainer"}),
        ({"training": {"epochs": 2, "batch_size": 32}}, {"Trainer"}),
        ({"push": {"path": "serving", "keep": 3}}, {"Pusher"}),
        ({"serving": {"latency": {"batch_1_p99_ms": 5.0}}}, {"ServingCheck"}),
        ({"serving": {"warmup": "real"}}, {"ServingCheck"}),
        ({"data": {"path": "data", "split": {"by": "hash", "eval_fraction": 0.3}}}, {"ExampleGen"}),
        ({"report": {"baseline_rows": 10}}, {"Baselines"}),
        ({"evaluation": {"gates": {"delay": {"rmse": {"max": 1000.0}}}}}, {"Baselines", "Evaluator", "Trainer"}),
        ({"seed": 3}, {"Baselines", "Evaluator", "ExampleGen", "Trainer"}),
        ({"data_gates": {"rows": {"level": "error"}}}, {"AnomalyGate"}),
        ({"data_gates": {"shared_rows": {"digits": 3}}}, {"AnomalyGate", "StatisticsGen"}),
    ],
)
def test_a_change_touches_what_depends_on_it(folder: Path, changed: dict[str, Any], nodes: set[str]) -> None:
    assert changed_nodes(folder, **changed) == nodes


def test_a_feature_of_another_column_is_ingested_and_of_the_same_only_transformed(folder: Path) -> None:
    same = {"distance": {"kind": "numeric", "scale": "log"}, "carrier": {"kind": "categorical", "embed": 2}}
    assert changed_nodes(folder, features=same) == {"Transform", "Trainer"}
    # A slice needs the column all the same.
    fewer = changed_nodes(folder, features={"distance": {"kind": "numeric"}})
    assert fewer == {"StatisticsGen", "AnomalyGate", "Transform", "Baselines", "Trainer"}
    fewer = changed_nodes(folder, features={"carrier": {"kind": "categorical"}})
    assert fewer == {
        *("ExampleGen", "StatisticsGen", "ImportSchemaGen", "AnomalyGate", "Transform", "Baselines", "Trainer")
    }


def test_a_key_to_compare_is_ingested_and_not_shown(folder: Path) -> None:
    changed = changed_nodes(folder, data_gates={"shared_keys": {"columns": ["day"]}})
    assert changed == {"ExampleGen", "StatisticsGen", "AnomalyGate", "ServingCheck"}


def test_an_edited_schema_is_imported_again(folder: Path) -> None:
    before = parameters(build(folder))
    unused = 'feature { name: "mail" type: BYTES domain: "mail" }\nstring_domain { name: "mail" value: "a@b.c" }\n'
    Path("small.pbtxt").write_text(SCHEMA + "# a remark\n" + unused)
    same = parameters(build(folder))
    assert same["ImportSchemaGen"] == before["ImportSchemaGen"], "what it says of a column that is not used is left out"
    Path("small.pbtxt").write_text(SCHEMA.replace("type: INT", "type: FLOAT"))
    after = parameters(build(folder))
    assert {node for node in before if before[node] != after[node]} == {"ExampleGen", "ImportSchemaGen"}
    copy = read_schema(Path(after["ImportSchemaGen"]["schema_file"]))
    assert [feature.name for feature in copy.feature] == ["distance", "carrier", "late", "delay"]
    assert copy.feature[0].type == schema_pb2.FLOAT


TUNE = {"space": {"training.learning_rate": {"min": 0.001, "max": 0.01}}, "trials": 3}


def test_a_tuning_is_a_node_of_its_own_pipeline_and_of_a_run_that_uses_it(folder: Path) -> None:
    places = Places(root="root", metadata=None, schemas=Path("schemas"), checkpoints=None)
    used = small_config(folder, schema="small.pbtxt", tune={**TUNE, "use": True})
    assert used.tune is not None
    whole = {node.id: node for node in create_pipeline(used, places).components}
    alone = {node.id: node for node in create_tuning_pipeline(used, used.tune, places).components}
    assert "Tuner" not in {node.id for node in build(folder, tune=TUNE).components}
    data = {node.id for node in create_data_pipeline(used, places).components}
    assert alone.keys() - {"Tuner"} == data - {"Baselines"}
    assert str(whole["Tuner"].exec_properties) == str(alone["Tuner"].exec_properties), "the one's result is the other's"
    assert whole["Trainer"].inputs["hyperparameters"] == whole["Tuner"].outputs["best_hyperparameters"]
    assert whole["Tuner"].inputs["examples"] == whole["Transform"].outputs["transformed_examples"]
    arguments = str(whole["Tuner"].exec_properties["train_args"]) + str(whole["Tuner"].exec_properties["eval_args"])
    assert "eval" not in arguments.replace("eval_args", ""), "the eval split is not the trials'"


@pytest.mark.parametrize(
    ("changed", "nodes"),
    [
        ({"tune": {**TUNE, "trials": 4}}, {"Tuner"}),
        ({"tune": {**TUNE, "workers": 2}}, {"Tuner"}),
        ({"training": {"epochs": 2, "batch_size": 32}}, {"Tuner", "Trainer"}),
        ({"push": {"path": "serving", "keep": 3}}, {"Pusher"}),
    ],
)
def test_what_a_tuning_depends_on(folder: Path, changed: dict[str, Any], nodes: set[str]) -> None:
    tune = {**TUNE, "use": True}
    before, after = (
        parameters(build(folder, **{**given, "tune": {**tune, **given.get("tune", {})}})) for given in ({}, changed)
    )
    assert {node for node in before if before[node] != after[node]} == nodes


def test_an_edited_source_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = parameters(build(folder))
    monkeypatch.setattr("pipeline.dag.source_fingerprint", lambda *paths: "edited")
    after = parameters(build(folder))
    assert {node for node in before if before[node] != after[node]} == {"Transform", "Trainer"}


def test_the_trainer_gets_its_configuration_whole(folder: Path) -> None:
    (trainer,) = [node for node in build(folder).components if node.id == "Trainer"]
    config = small_config(folder)
    custom = json.loads(trainer.exec_properties["custom_config"])
    assert TrainerConfig.model_validate_json(custom["trainer"]) == config.trainer_config()
    assert custom["checkpoint_root"] == "runs/small/checkpoints"


def test_one_column_may_serve_several_features(folder: Path) -> None:
    features = {
        "where": {"kind": "categorical", "column": "distance"},
        "far": {"kind": "numeric", "column": "distance"},
        "carrier": {"kind": "categorical"},
    }
    expectations = expectations_of(small_config(folder, features=features))
    assert {column: feature.numeric for column, feature in expectations.features.items()} == {
        "distance": True,
        "carrier": False,
    }
    assert {column: label.numeric for column, label in expectations.labels.items()} == {"late": False, "delay": True}
    assert not expectations.curated


def test_labels_and_weights_of_every_kind_are_expected(folder: Path) -> None:
    tasks = {
        "late": {"kind": "count", "label": "late", "sample_weight": "distance"},
        "delay": {
            "kind": "multilabel",
            "label": "delay",
            "classes": ["1", "2"],
            "separator": ",",
            "sample_weight": "w",
        },
        "carrier": {"kind": "multilabel", "label": "carrier", "classes": ["1", "2"], "sample_weight": "w"},
    }
    config = small_config(folder, tasks=tasks, features={"distance": {"kind": "numeric"}}, evaluation={})
    expectations = expectations_of(config)
    late, delay, carrier = (expectations.labels[name] for name in ("late", "delay", "carrier"))
    assert (late.numeric, late.least, late.separator) == (True, 0.0, None)
    assert (delay.numeric, delay.classes, delay.separator) == (False, ["1", "2"], ",")
    assert (carrier.classes, carrier.separator) == ([], None), "ExampleGen has looked at these"
    assert {column: weight.tasks for column, weight in expectations.weights.items()} == {
        "distance": ["late"],
        "w": ["delay", "carrier"],
    }
    assert "distance" in expectations.features


def test_several_classes_in_one_string_are_read_as_text(folder: Path) -> None:
    tasks = {"delay": {"kind": "multilabel", "label": "delay", "classes": ["1", "2"], "separator": "_"}}
    parameters = str(example_gen_of(small_config(folder, tasks=tasks, evaluation={})).exec_properties)
    assert '"column_types": {"delay": "bytes"}' in parameters.replace("\\", "")


def test_a_schema_is_inferred_from_the_data_alone(folder: Path) -> None:
    places = Places(root="root", metadata=None, schemas=Path("schemas"), checkpoints=None)
    pipeline = create_schema_pipeline(small_config(folder, schema="small.pbtxt"), places)
    assert [node.id for node in pipeline.components] == ["ExampleGen", "StatisticsGen", "SchemaGen"]
    parameters = str(pipeline.components[0].exec_properties).replace("\\", "")
    assert '"column_types": {}' in parameters
    assert '"columns": ["carrier", "delay", "distance", "late"]' in parameters


def test_the_steps_that_a_configuration_may_name_are_the_nodes() -> None:
    nodes = {*re.findall(r'with_id\(\s*"(\w+)"', inspect.getsource(dag)), dag.BASELINES}
    assert nodes == set(STEPS)
