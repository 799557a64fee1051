"""Leakage, splits, gates and sizes, as one plan brings them together."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janus_core.errors import DataError
from janus_core.tables.config import DataConfig, TimeSplit
from pipeline.commands.init import proposal as proposal_module
from pipeline.commands.init.column_names import unique_name
from pipeline.commands.init.gates import propose_gates, rounded_down
from pipeline.commands.init.leakage import Label, score
from pipeline.commands.init.profile import profile
from pipeline.commands.init.proposal import network_for, propose
from pipeline.commands.init.sample import read_sample
from tests.pipeline.commands.init.tables import plan_of, shop
from trainer.config import ModelConfig, TrainingConfig

RANDOM = np.random.RandomState(3)


def test_a_plan_knows_every_column(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, shop(), "bought", "spent")
    kinds = {column.column.name: column.guess.kind for column in plan.columns}
    assert kinds == {
        "order_id": "dropped",
        "price": "dropped",
        "colour": "categorical",
        "hour": "cyclical",
        "customer_id": "hashed",
        "note": "text",
        "shop": "dropped",
        "ordered at": "datetime",
        "size/cm": "numeric",
        "size cm": "numeric",
        "class": "categorical",
    }
    assert [target.kind for target in plan.tasks] == ["binary", "regression"]
    assert isinstance(plan.split.split, TimeSplit)
    assert plan.split.split.eval_from == "2024-01-17"
    (leak,) = [warning for warning in plan.warnings if warning.startswith("leakage?")]
    assert leak.startswith("leakage? 'price' alone predicts target 'spent' with r2 0.9")
    assert "it is left out" in leak
    assert [(column.name, column.guess.kind) for column in plan.leaks] == [("price", "numeric")]


def test_where_every_column_leaks_they_stay(tmp_path: Path) -> None:
    spent = [float(number) for number in RANDOM.permutation(100)]
    plan = plan_of(tmp_path, {"price": [2 * value for value in spent], "spent": spent}, "spent")
    assert [column.name for column in plan.features] == ["price"]
    assert plan.leaks == []
    assert any("it is kept, as no other column is left" in warning for warning in plan.warnings)


def test_noise_scores_as_guessing_and_the_label_as_certainty() -> None:
    labels = RANDOM.randint(0, 2, 1000)
    label = Label(labels, np.ones(1000, bool), 2)
    noise = score(profile("noise", pa.array(RANDOM.normal(size=1000))), label)
    twin = score(profile("twin", pa.array(labels * 3.5)), label)
    assert noise is not None
    assert twin is not None
    assert abs(noise.value - 0.5) < 0.08
    assert not noise.leaks
    assert twin.value == 1.0
    assert twin.leaks


def test_a_many_valued_identifier_scores_no_more_than_guessing() -> None:
    numbers = RANDOM.normal(size=1000)
    label = Label(numbers, np.ones(1000, bool), 0)
    found = score(profile("id", pa.array([f"i{row}".encode() for row in range(1000)])), label)
    assert found is not None
    assert found.value < 0.05


def test_rows_without_label_and_missing_values_do_not_count() -> None:
    label = Label(np.zeros(100, np.int64), np.zeros(100, bool), 2)
    assert score(profile("x", pa.array([1.0] * 100)), label) is None
    assert score(profile("v", pa.array([[1.0]] * 100)), Label(np.arange(100.0), np.ones(100, bool), 0)) is None


def test_without_a_time_the_split_is_by_hash_with_every_class_in_both_parts(tmp_path: Path) -> None:
    table = {"x": RANDOM.normal(size=60).tolist(), "y": ["a"] * 28 + ["b"] * 28 + ["c"] * 4}
    plan = plan_of(tmp_path, table, "y")
    assert plan.split.split.by == "hash"
    evaluated = plan.split.evaluated
    assert 0.25 <= evaluated.mean() <= 0.35
    rare = np.array(table["y"]) == "c"
    assert 0 < (evaluated & rare).sum() < 4


def test_no_split_by_a_time_that_parts_the_classes(tmp_path: Path) -> None:
    table = {
        "x": RANDOM.normal(size=100).tolist(),
        "day": [f"2024-{row // 28 + 1:02d}-{row % 28 + 1:02d}" for row in range(100)],
        "y": ["early"] * 85 + ["late"] * 15,
    }
    plan = plan_of(tmp_path, table, "y")
    assert plan.split.split.by == "hash"
    assert "no split by 'day': train would lack a class of target 'y'" in plan.warnings


def test_what_training_never_sees_is_left_out_under_a_split_by_time(tmp_path: Path) -> None:
    table = shop()
    table["month"] = [1 + int(row >= 320) for row in range(400)]
    table["total"] = np.cumsum(RANDOM.rand(400)).round(3).tolist()
    plan = plan_of(tmp_path, table, "bought")
    reasons = {column.column.name: column.guess.reason for column in plan.columns if not column.used}
    assert "training never sees" in reasons["month"]
    assert "training never sees" in reasons["total"]


def test_gates_are_what_guessing_reaches_in_the_evaluated_rows(tmp_path: Path) -> None:
    table = shop()
    plan = plan_of(tmp_path, table, "bought", "spent")
    evaluated = plan.split.evaluated
    bought, spent = np.array(table["bought"]) == "yes", np.array(table["spent"])
    share = bought[~evaluated].mean()
    log_loss = -np.where(bought[evaluated], np.log(share), np.log(1 - share)).mean()
    assert plan.gates["bought"].limits["log_loss"]["max"] == pytest.approx(log_loss, rel=1e-3)
    assert 0.5 < plan.gates["bought"].limits["auc"]["min"] <= 0.6
    errors = np.abs(spent[evaluated] - np.median(spent[~evaluated]))
    rise = plan.gates["spent"].limits["mae"]["max_rise"]
    assert plan.gates["spent"].limits == {"mae": {"max": rounded_down(errors.mean()), "max_rise": rise}}
    assert rise == {"limit": pytest.approx(errors.std() / np.sqrt(evaluated.sum()), rel=0.05), "confidence": 0.9}


def test_limits_on_changes_are_one_standard_error_of_the_evaluated_rows(tmp_path: Path) -> None:
    table = shop()
    plan = plan_of(tmp_path, table, "bought")
    evaluated = plan.split.evaluated
    positive = (np.array(table["bought"]) == "yes")[evaluated].sum()
    count = evaluated.sum()
    error = np.sqrt((count + 1) / (12 * positive * (count - positive)))
    drop = plan.gates["bought"].limits["auc"]["max_drop"]
    assert drop == {"limit": pytest.approx(error, rel=0.05), "confidence": 0.9}
    # Of a sample: over a hundred times as many rows it is a tenth.
    task, label = plan.tasks[0], Label((np.array(table["bought"]) == "yes").astype(int), np.ones(400, bool), 2)
    of_all = propose_gates(task, label, evaluated, scale=100).limits["auc"]["max_drop"]
    assert of_all["limit"] == pytest.approx(max(error / 10, 0.005), rel=0.1)


def test_a_wide_table_keeps_the_columns_that_tell_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposal_module, "MOST_FEATURES", 3)
    table = {f"noise{place}": RANDOM.normal(size=200).tolist() for place in range(20)}
    y = RANDOM.normal(size=200)
    table["hint"] = (y + RANDOM.normal(0, 0.3, 200)).tolist()
    plan = plan_of(tmp_path, {**table, "y": y.tolist()}, "y")
    assert len(plan.features) == 3
    assert "hint" in [column.column.name for column in plan.features]


def test_a_table_without_any_feature_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column of .* makes a feature .*'c': constant"):
        plan_of(tmp_path, {"c": [1] * 50, "y": ["p", "q"] * 25}, "y")


def test_duplicates_are_reported(tmp_path: Path) -> None:
    table = {"x": [1.5, 2.5] * 50, "y": ["p", "q"] * 50}
    assert any("98 rows are the same as an earlier one (98.0 %)" in w for w in plan_of(tmp_path, table, "y").warnings)


def test_names_are_made_of_letters_digits_and_lines() -> None:
    taken: set[str] = set()
    for column, name in {
        "sepal length (cm)": "sepal_length_cm",
        "Größe": "Grosse",
        "1st": "column_1st",
        "日本": "column",
        "a.b": "a_b",
        "a/b": "a_b_column",
        "a b": "a_b_2",
        "_x": "x",
    }.items():
        found = unique_name(column, taken)
        taken.add(found)
        assert found == name


def test_the_fewer_rows_the_smaller_the_batches() -> None:
    found = [network_for(rows, by_time=False).training for rows in (100, 1_000, 10_000, 100_000, 10_000_000)]
    assert [training["batch_size"] for training in found] == sorted(training["batch_size"] for training in found)
    assert [training["epochs"] for training in found] == sorted(
        (training["epochs"] for training in found), reverse=True
    )


def test_the_recipe_is_for_all_but_large_splits_by_time() -> None:
    for rows, by_time in ((20_000, False), (20_000, True), (200_000, False)):
        network = network_for(rows, by_time)
        assert (network.model["members"], network.model["encoding"], network.training["ema"]) == (
            (4, "piecewise_linear", 0.998)
        )
    large = network_for(200_000, True)
    assert large.model["members"] == 4
    assert "encoding" not in large.model
    assert "ema" not in large.training


@pytest.mark.parametrize("rows", [100, 1_000, 20_000, 100_000, 10_000_000])
@pytest.mark.parametrize("by_time", [False, True])
def test_proposed_keys_are_valid(rows: int, by_time: bool) -> None:
    network = network_for(rows, by_time)
    assert ModelConfig.model_validate(network.model).trunk.units
    assert TrainingConfig.model_validate(network.training).early_stopping


@pytest.mark.parametrize(("value", "down"), [(23.3567, 23.35), (0.00417, 0.00417), (1999.9, 1999.0), (0.0, 0.0)])
def test_limits_are_rounded_down(value: float, down: float) -> None:
    assert rounded_down(value) == pytest.approx(down)
    assert rounded_down(value) <= value


def test_lists_of_text_are_sets_and_structs_are_left_out(tmp_path: Path) -> None:
    columns = shop(200)
    columns["tags"] = [["a", "b"][: row % 3] or None for row in range(200)]
    columns["place"] = [{"lat": 0.1 * row} for row in range(200)]
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    plan = propose("t", read_sample(DataConfig(path=str(tmp_path / "t.parquet"), format="parquet")), ["bought"])
    reasons = {column.column.name: column.guess.reason for column in plan.columns if not column.used}
    assert {column.column.name: column.guess.kind for column in plan.columns}["tags"] == "set"
    assert reasons["place"] == "of type struct<lat: double>, which no feature or label can be made of"
    sample = read_sample(DataConfig(path=str(tmp_path / "t.parquet"), format="parquet"))
    with pytest.raises(DataError, match=r"target 'place': of type struct<lat: double>, which no feature or label"):
        propose("t", sample, ["place"])


def test_unsigned_integers_beyond_64_bits_are_left_out_or_read_as_text(tmp_path: Path) -> None:
    columns = {
        "wide": pa.array([2**63 + row % 7 for row in range(200)], pa.uint64()),
        "wide_lists": pa.array([[2**63 + row] for row in range(200)], pa.list_(pa.uint64())),
        "x": RANDOM.normal(size=200),
        "y": ["a", "b"] * 100,
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    sample = read_sample(DataConfig(path=str(tmp_path / "t.parquet"), format="parquet"))
    guesses = {column.column.name: column.guess for column in propose("t", sample, ["y"]).columns}
    assert guesses["wide"].reason == "whole numbers beyond 2^53, read as text, 7 values"
    assert (guesses["wide_lists"].kind, guesses["x"].kind) == ("dropped", "numeric")
    assert "row 0: column 'wide_lists' holds '9223372036854775808'" in guesses["wide_lists"].reason
    assert "beyond 64 bits" in guesses["wide_lists"].reason
