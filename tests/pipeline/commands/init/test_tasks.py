"""What kind of task each target makes, and which targets make none."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from janus_core.errors import ConfigError, DataError
from pipeline.commands.init.profile import profile
from pipeline.commands.init.tasks import check_targets, label_of, multi_hot, propose_tasks
from tests.pipeline.commands.init.tables import plan_of, shop

ROWS = 200
RANDOM = np.random.RandomState(2)


def target_of(name: str, values: list[Any]) -> Any:
    text = isinstance(next(value for value in values if value is not None), str)
    column = profile(name, pa.array(values, pa.binary() if text else None))
    return propose_tasks([column], {})[0], column


@pytest.mark.parametrize(
    ("name", "values", "kind", "options"),
    [
        ("sold", ["no", "yes"] * 100, "binary", {"classes": ["no", "yes"]}),
        ("grp", ["b"] * 150 + ["a"] * 50, "binary", {"classes": ["b", "a"]}),
        ("y", [0, 1] * 100, "binary", {"classes": ["0", "1"]}),
        ("y", [0.0, 1.0, None, 1.0] * 50, "binary", {"classes": ["0", "1"]}),
        ("species", ["c", "a", "b", "a"] * 50, "multiclass", {"classes": ["a", "b", "c"]}),
        ("digit", [i % 10 for i in range(ROWS)], "multiclass", {"classes": [str(i) for i in range(10)]}),
        ("quality", [i % 5 + 1 for i in range(ROWS)], "ordinal", {"classes": ["1", "2", "3", "4", "5"]}),
        ("trend", [i % 3 - 1 for i in range(ROWS)], "multiclass", {"classes": ["-1", "0", "1"]}),
        ("status", [(200, 404, 500)[i % 3] for i in range(ROWS)], "multiclass", {"classes": ["200", "404", "500"]}),
        ("area code", [i % 25 * 7 for i in range(ROWS)], "multiclass", {"classes": [str(i * 7) for i in range(25)]}),
        ("num_claims", RANDOM.poisson(1.0, ROWS).tolist(), "count", {}),
        ("height", RANDOM.normal(170, 9, ROWS).tolist(), "regression", {"loss": "mae"}),
        ("rent", RANDOM.normal(1e6, 1, ROWS).round(2).tolist(), "regression", {"loss": "mae", "offset": 10**6}),
        ("wait", RANDOM.exponential(9, ROWS).tolist(), "regression", {"loss": "mae"}),
        ("rain", [0.0] * 120 + RANDOM.exponential(9, 80).tolist(), "regression", {"loss": "mse"}),
        ("tags", ["x|y", "y", "x|z", "z|y"] * 50, "multilabel", {"classes": ["x", "y", "z"], "separator": "|"}),
        ("tags", [["x", "y"], ["y"], [], ["z"]] * 50, "multilabel", {"classes": ["x", "y", "z"]}),
    ],
)
def test_kinds(name: str, values: list[Any], kind: str, options: dict[str, Any]) -> None:
    target, _ = target_of(name, values)
    assert (target.kind, target.options) == (kind, options), target.reason


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("y", ["a"] * ROWS, "constant, 'a' in every row"),
        ("y", [f"id{i}" for i in range(ROWS)], "text, different in every row"),
        ("y", list(range(ROWS)), "it is an identifier"),
        ("y", [f"2024-01-{i % 28 + 1:02d}" for i in range(ROWS)], "points in time"),
        ("y", ["NA", *map(str, range(ROWS))], "numbers, but for 'NA': leave these cells empty"),
        ("word", [f"w{i % 500}" for i in range(5_000)], "text, 500 different values; at most 100 classes"),
        ("class", [i % 500 * 3 for i in range(5_000)], "codes by its name, 500 different values; at most 100 classes"),
        ("y", [float("inf"), *map(float, range(ROWS))], "infinite in 1 rows"),
    ],
)
def test_what_cannot_be_learnt_is_refused(name: str, values: list[Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        target_of(name, values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            [i % 3 - 1 for i in range(ROWS)],
            "-1, 0, 1 are taken for classes, as they are few; if they measure something",
        ),
        (
            [i % 500 for i in range(5_000)],
            "500 whole numbers are predicted as a number .*; if they are codes of classes",
        ),
        ([i % 15 * 10 for i in range(ROWS)], "15 whole numbers are predicted as a number"),
        (["No", "no", "yes ", "yes"] * 50, r"'No' \(50 rows\), 'no' \(50 rows\) differ in case or blanks only"),
        (["EU", "NA", "AS", "EU"] * 50, r"class 'NA' \(50 rows\) may stand for a missing label; if it does"),
    ],
)
def test_what_is_not_certain_of_a_target_is_named(values: list[Any], words: str) -> None:
    target, _ = target_of("y", values)
    assert re.search(words, "\n".join(target.warnings)), target.warnings


def test_words_that_are_no_class_are_missing(tmp_path: Path) -> None:
    labels = ["nan", "N/A", "?", "yes", "no", "no"] * 50
    plan = plan_of(tmp_path, {"x": np.arange(300.0)[::-1].tolist(), "y": labels, "z": ["?", "p"] * 150}, "y")
    assert plan.tasks[0].classes == ["no", "yes"]
    assert plan.sample.data.null_values == {"y": ["nan", "N/A", "?"]}
    assert "target 'y': '?' in 50 rows counts as missing, by data.null_values" in plan.warnings
    assert plan.sample.columns["z"].null_count == 0


def test_a_target_that_no_column_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no column 'Prize'; did you mean 'price'"):
        check_targets(["Prize"], ["price", "colour"])
    with pytest.raises(ConfigError, match="there are 'price', 'colour'"):
        check_targets(["zzz"], ["price", "colour"])
    with pytest.raises(ConfigError, match="named twice"):
        check_targets(["price", "price"], ["price", "colour"])
    with pytest.raises(ConfigError, match="every column is a target"):
        check_targets(["price", "colour"], ["price", "colour"])


def test_reserved_and_strange_names_make_other_task_names() -> None:
    columns = [profile(name, pa.array([0, 1] * 20)) for name in ("examples", "default", "shared", "is it?", "1st")]
    assert [target.name for target in propose_tasks(columns, {})] == [
        "examples_task",
        "default_task",
        "shared_task",
        "is_it",
        "task_1st",
    ]


def test_imbalance_and_missing_labels_are_reported(tmp_path: Path) -> None:
    table = shop()
    table["bought"] = ["yes" if row % 40 == 0 else "no" if row % 8 else None for row in range(400)]
    warnings = "\n".join(plan_of(tmp_path, table, "bought").warnings)
    assert "missing in 40 of 400 rows" in warnings
    assert "imbalanced, class 'yes' is 2.8 % of the labels (10 of 360)" in warnings


def test_labels_are_indices_of_classes() -> None:
    target, _ = target_of("y", ["b", None, "a", "b", "c"] * 20)
    label = label_of(target)
    assert label is not None
    assert label.values[:5].tolist() == [1, 0, 0, 1, 2]
    assert label.present[:5].tolist() == [True, False, True, True, True]


def test_several_labels_of_a_row() -> None:
    target, _ = target_of("y", ["x|y", "y", None, "x|z", "z"] * 20)
    applies, known = multi_hot(target)
    assert applies[:4].astype(int).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert known.all()
