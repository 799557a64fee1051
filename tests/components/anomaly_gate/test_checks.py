"""What the gate finds in statistics, and how it says so."""

from typing import Any

import pytest

from components.anomaly_gate.checks import (
    Expectations,
    FeatureExpectation,
    Finding,
    LabelExpectation,
    WeightExpectation,
    check_anomalies,
    check_split,
)
from components.anomaly_gate.column import Column, read_columns
from tests.components.anomaly_gate.statistics import anomalies_of, schema_of, statistics_of

# TFDV's mean of infinite values.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")

EXPECTATIONS = Expectations(
    labels={"late": LabelExpectation(task="late"), "delay": LabelExpectation(task="delay", numeric=True)},
    features={
        "distance": FeatureExpectation(feature="distance", numeric=True),
        "carrier": FeatureExpectation(feature="airline"),
        "v": FeatureExpectation(feature="v", numeric=True, length=2),
    },
    curated=True,
)

GOOD: dict[str, list[Any]] = {
    "late": ["yes", "no", None, "no"],
    "delay": [1.5, None, float("nan"), 3.0],
    "distance": [100, 200, None, 400],
    "carrier": ["UA", "AA", "UA", "B6"],
    "v": [[1.0, 2.0], [1.0, 2.0], None, [3.0, 4.0]],
    "unused": [float("inf"), 1.0, 2.0, 3.0],
}


def columns_of(**changed: list[Any] | None) -> tuple[int, dict[str, Column]]:
    table = {name: rows for name, rows in {**GOOD, **changed}.items() if rows is not None}
    return read_columns(statistics_of(table))


def texts(findings: list[Finding]) -> list[str]:
    return [str(finding) for finding in findings]


def test_good_data_pass() -> None:
    rows, columns = columns_of()
    assert rows == 4
    assert check_split("train", rows, columns, EXPECTATIONS) == []
    assert columns["delay"].present == 2, "NaN counts as missing"
    assert columns["late"].value_counts == {"no": 2, "yes": 1}


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        (
            {"late": None},
            "late, train split: expected labels of task 'late'; saw none, so task 'late' cannot be trained "
            "(4 of 4 rows)",
        ),
        (
            {"delay": [None, float("nan"), None, float("nan")]},
            "delay, train split: expected labels of task 'delay'; saw none, so task 'delay' cannot be trained "
            "(4 of 4 rows)",
        ),
        (
            {"delay": ["1", "late", "3", None]},
            "delay, train split: expected a number, the label of task 'delay'; saw text such as '1', '3', 'late' "
            "(3 rows)",
        ),
        (
            {"delay": [float("-inf"), 1.0, float("inf"), 2.0]},
            "delay, train split: expected a number, the label of task 'delay'; saw infinity (2 of 4 rows)",
        ),
        (
            {"distance": [float("inf"), 1.0, 2.0, float("nan")]},
            "distance, train split: expected a number for feature 'distance'; saw infinity (1 of 4 rows)",
        ),
        (
            {"distance": ["far", "near", None, None]},
            "distance, train split: expected a number for feature 'distance'; saw text such as 'far', 'near' (2 rows)",
        ),
        ({"carrier": None}, "carrier, train split: expected values for feature 'airline'; saw none (4 of 4 rows)"),
        (
            {"carrier": [["UA", "AA"], ["UA"], ["AA"], ["B6"]]},
            "carrier, train split: expected 1 value(s) in a row for feature 'airline'; saw 1-2 in a row",
        ),
        (
            {"v": [[1.0, 2.0], [1.0], None, [3.0, 4.0]]},
            "v, train split: expected 2 value(s) in a row for feature 'v'; saw 1-2 in a row",
        ),
    ],
)
def test_each_contradiction_is_named(changed: dict[str, Any], finding: str) -> None:
    rows, columns = columns_of(**changed)
    assert texts(check_split("train", rows, columns, EXPECTATIONS)) == [finding]


KINDS = Expectations(
    labels={
        "visits": LabelExpectation(task="visits", numeric=True, least=0.0),
        "topics": LabelExpectation(task="topics", classes=["a", "b c"], separator="|"),
        "tags": LabelExpectation(task="tags"),
    },
    features={},
    weights={"importance": WeightExpectation(tasks=["visits", "topics"])},
    curated=False,
)
KINDS_GOOD: dict[str, list[Any]] = {
    "visits": [0, 2, None, 5],
    "topics": ["a", "a | b c", None, "b c|a|"],
    "tags": [["a"], ["a", "b"], [], None],
    "importance": [0.5, 0.0, float("nan"), 2.0],
}


def kinds_findings(**changed: list[Any] | None) -> list[str]:
    table = {name: rows for name, rows in {**KINDS_GOOD, **changed}.items() if rows is not None}
    return texts(check_split("train", *read_columns(statistics_of(table)), KINDS))


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({}, None),
        ({"visits": [0.5, float("nan"), 0.0, 3.25]}, None),
        ({"importance": [1, 2, 3, 4]}, None),
        (
            {"visits": [0, -2, None, 5]},
            "visits, train split: expected a number, the label of task 'visits', of at least 0; saw values from -2 to "
            "5 (among 3 rows with a value)",
        ),
        (
            {"visits": [float("nan"), -0.5, 1.0, 2.0]},
            "visits, train split: expected a number, the label of task 'visits', of at least 0; saw values from -0.5 "
            "to 2 (among 3 rows with a value)",
        ),
        (
            {"importance": [1.0, 2.0, -0.25, None]},
            "importance, train split: expected a number, the sample_weight of task 'visits', 'topics', of at least 0; "
            "saw values from -0.25 to 2 (among 3 rows with a value)",
        ),
        (
            {"importance": [0, 0, None, 0]},
            "importance, train split: expected a weight above 0, the sample_weight of task 'visits', 'topics'; saw 0 "
            "only (3 of 4 rows)",
        ),
        (
            {"importance": None},
            "importance, train split: expected a number, the sample_weight of task 'visits', 'topics'; saw none "
            "(4 of 4 rows)",
        ),
        (
            {"importance": ["much", "little", None, None]},
            "importance, train split: expected a number, the sample_weight of task 'visits', 'topics'; saw text such "
            "as 'little', 'much' (2 rows)",
        ),
        (
            {"topics": ["a", "a|d", "b c | d|e", "d"]},
            "topics, train split: expected classes of task 'topics' ('a', 'b c'), with '|' between them; saw 'd', 'e' "
            "(4 times)",
        ),
        ({"topics": ["a|" * 600, "a", "a", "a"]}, None),
    ],
)
def test_labels_and_weights_of_every_kind(changed: dict[str, Any], finding: str | None) -> None:
    assert kinds_findings(**changed) == ([finding] if finding else [])


def test_an_empty_split_is_one_finding() -> None:
    findings = texts(check_split("eval", 0, {}, EXPECTATIONS))
    assert findings == ["(all columns), eval split: expected rows; saw none; correct data.split or the data (0 rows)"]


def test_a_feature_may_be_empty_where_nothing_is_learnt() -> None:
    rows, columns = columns_of(carrier=None)
    assert check_split("eval", rows, columns, EXPECTATIONS) == []


def test_labels_are_needed_to_evaluate() -> None:
    rows, columns = columns_of(late=None)
    (finding,) = texts(check_split("eval", rows, columns, EXPECTATIONS))
    assert "task 'late' cannot be evaluated" in finding


def anomalies(schema: str, curated: bool = True) -> list[str]:
    parsed = schema_of(schema)
    statistics = statistics_of(GOOD)
    rows, columns = read_columns(statistics)
    return texts(check_anomalies("eval", anomalies_of(statistics, parsed), parsed, columns, rows, curated))


@pytest.mark.parametrize(
    ("feature", "finding"),
    [
        (
            'name: "carrier" type: BYTES string_domain { value: "UA" value: "DL" }',
            "carrier, eval split: expected one of 'DL', 'UA'; saw 'AA', 'B6' (2 of 4 rows)",
        ),
        (
            'name: "distance" type: INT presence { min_fraction: 1 min_count: 1 }',
            "distance, eval split: expected a value in at least 1 of the rows; saw values in 0.75 of them "
            "(missing in 1 of 4 rows)",
        ),
        (
            'name: "distance" type: INT presence { min_count: 9 }',
            "distance, eval split: expected a value in at least 9 rows; saw values in 0.75 of them "
            "(missing in 1 of 4 rows)",
        ),
        (
            'name: "distance" type: BYTES',
            "distance, eval split: expected type BYTES; saw type INT (3 rows)",
        ),
        (
            'name: "distance" type: INT int_domain { min: 150 }',
            "distance, eval split: expected values from 150; saw values from 100 to 400 (among 3 rows with a value)",
        ),
        (
            'name: "gone" type: INT presence { min_count: 1 }',
            "gone, eval split: expected a column of this name; saw none (4 of 4 rows)",
        ),
    ],
)
def test_each_anomaly_is_put_in_words(feature: str, finding: str) -> None:
    assert anomalies(f"feature {{ {feature} }}") == [finding]


def test_an_anomaly_of_another_kind_is_reported_as_tfdv_does() -> None:
    (finding,) = anomalies('feature { name: "v" type: FLOAT shape { dim { size: 2 } } }')
    assert finding.startswith("v, eval split: expected what the schema says; saw The feature has a shape, but")


def test_a_column_beside_the_schema_is_no_error() -> None:
    assert anomalies('feature { name: "distance" type: INT }') == []


def test_lists_may_be_longer_in_one_split_than_in_the_one_that_a_schema_was_inferred_from() -> None:
    seen = 'feature { name: "v" type: FLOAT value_count { min: 1 max: 1 } }'
    assert anomalies(seen, curated=False) == []
    assert len(anomalies(seen)) == 1


def test_an_inferred_schema_does_not_forbid_what_it_has_not_seen() -> None:
    seen = 'feature { name: "carrier" type: BYTES string_domain { value: "UA" } }'
    assert anomalies(seen, curated=False) == []
    assert len(anomalies('feature { name: "carrier" type: INT }', curated=False)) == 1
