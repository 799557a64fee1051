"""The gate as TFX calls it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tfx.components.example_validator import executor as validator
from tfx.types import Channel, artifact_utils, standard_artifacts

from components.anomaly_gate.checks import Expectations, FeatureExpectation, LabelExpectation
from components.anomaly_gate.component import AnomalyGate
from components.anomaly_gate.config import DataGatesConfig
from components.anomaly_gate.data_gates import RESULT_FILE, DataGateResult, GatedData
from components.anomaly_gate.executor import Executor, blessed_labels
from janus_core.errors import DataError
from tests.components.anomaly_gate.statistics import anomalies_of, schema_of, write_split

SCHEMA = """
feature { name: "late" type: BYTES string_domain { value: "yes" value: "no" } }
feature { name: "distance" type: INT }
"""
EXPECTATIONS = Expectations(
    labels={"late": LabelExpectation(task="late")},
    features={"distance": FeatureExpectation(feature="distance", numeric=True)},
    curated=True,
)


GATED = GatedData(features={"distance": "distance"}, tasks={"late": "late"})


def check(
    tmp_path: Path,
    train: dict[str, list[Any]],
    evaluation: dict[str, list[Any]],
    sensitive: Sequence[str] = (),
    **gates: Any,
) -> list[DataGateResult]:
    """Lays the artifacts out, runs the executor, and returns the data gates."""
    artifacts = {
        "statistics": standard_artifacts.ExampleStatistics(),
        "anomalies": standard_artifacts.ExampleAnomalies(),
        "schema": standard_artifacts.Schema(),
    }
    for name, artifact in artifacts.items():
        artifact.uri = str(tmp_path / name)
    schema = schema_of(SCHEMA)
    (tmp_path / "schema").mkdir(parents=True)
    (tmp_path / "schema" / "schema.pbtxt").write_text(SCHEMA)
    for name in ("statistics", "anomalies"):
        artifacts[name].split_names = artifact_utils.encode_split_names(["train", "eval"])
    for split, table in (("train", train), ("eval", evaluation)):
        statistics = write_split(tmp_path / "statistics", split, table)
        folder = tmp_path / "anomalies" / f"Split-{split}"
        folder.mkdir(parents=True)
        (folder / validator.DEFAULT_FILE_NAME).write_bytes(anomalies_of(statistics, schema).SerializeToString())
    result = standard_artifacts.ExampleAnomalies()
    result.uri = str(tmp_path / "result")
    (tmp_path / "result").mkdir(parents=True)
    expectations = EXPECTATIONS.model_copy(update={"sensitive": list(sensitive)})
    gated = GATED.model_copy(update={"gates": DataGatesConfig.model_validate(gates)})
    Executor().Do(
        {name: [artifact] for name, artifact in artifacts.items()},
        {"result": [result]},
        {"expectations": expectations.model_dump_json(), "gated": gated.model_dump_json()},
    )
    return [DataGateResult(**one) for one in json.loads((tmp_path / "result" / RESULT_FILE).read_text())]


def test_good_data_pass(tmp_path: Path) -> None:
    table = {"late": ["yes", "no"], "distance": [1, 2]}
    few = {"rows": {"min": 2}, "labelled": {"min": 2}}
    assert [gate for gate in check(tmp_path, table, table, **few) if not gate.passed] == []


def test_a_broken_data_gate_warns_or_ends_the_run(tmp_path: Path) -> None:
    table, half = {"late": ["yes", "no"], "distance": [1, 2]}, {"late": ["no", "no"], "distance": [1, None]}
    fewest = {"rows": {"min": 0}, "labelled": {"min": 3}, "missing": {"max_rise": 0.4}}
    gates = [(gate.gate, gate.split) for gate in check(tmp_path / "1", table, half, **fewest) if not gate.passed]
    assert gates == [("labelled", "train"), ("labelled", "eval"), ("missing.max_rise", "both")]
    fewest["labelled"] = {"min": 3, "level": "error"}
    with pytest.raises(DataError, match="the data do not pass their gates:\n") as caught:
        check(tmp_path / "2", table, half, **fewest)
    assert caught.value.problems == [
        f"task late has 2 labelled rows in the {split} split (data_gates.labelled: at least 3): label more rows, or "
        "choose another data.split"
        for split in ("train", "eval")
    ]
    assert "  warning: feature distance is missing in 0 % of the train rows, 50 % of the eval rows" in str(caught.value)
    assert not (tmp_path / "2" / "result" / RESULT_FILE).exists()


def test_labels_of_an_earlier_run_that_cannot_be_read_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "Split-train").mkdir()
    (tmp_path / "Split-train" / "rows.npz").write_bytes(b"cut")
    assert blessed_labels(str(tmp_path)) is None
    assert blessed_labels(str(tmp_path / "gone")) == {}


def test_all_that_is_wrong_is_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        check(tmp_path, {"late": ["yes", "maybe"], "distance": ["x", "y"]}, {"late": ["no", "no"], "distance": [1, 2]})
    assert caught.value.exit_code == 3
    assert caught.value.problems == [
        "distance, train split: expected a number for feature 'distance'; saw text such as 'x', 'y' (2 rows)",
        "late, train split: expected one of 'no', 'yes'; saw 'maybe' (1 of 2 rows)",
    ]
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    assert "janus schema" in str(caught.value)


def test_values_of_a_sensitive_column_are_not_shown(tmp_path: Path) -> None:
    train = {"late": ["yes", "maybe"], "distance": ["x9", "y9"]}
    with pytest.raises(DataError) as caught:
        check(tmp_path, train, {"late": ["no", "no"], "distance": [1, 2]}, ["distance", "late"])
    assert caught.value.problems == [
        "distance, train split: expected a number for feature 'distance'; saw values that are not shown (sensitive) "
        "(2 rows)",
        "late, train split: expected values of the schema's domain; saw values that are not shown (sensitive) "
        "(1 of 2 rows)",
    ]


def test_a_component_is_cached_by_what_it_expects_and_by_its_code() -> None:
    gate = AnomalyGate(
        statistics=Channel(type=standard_artifacts.ExampleStatistics),
        anomalies=Channel(type=standard_artifacts.ExampleAnomalies),
        schema=Channel(type=standard_artifacts.Schema),
        expectations=EXPECTATIONS,
        gated=GATED,
    )
    assert GatedData.model_validate_json(gate.exec_properties["gated"]) == GATED
    assert Expectations.model_validate_json(gate.exec_properties["expectations"]) == EXPECTATIONS
    assert len(gate.exec_properties["code"]) == 16
