"""Each data gate on tables of which it is known what is wrong with them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.anomaly_gate.column import read_columns
from components.anomaly_gate.config import DataGatesConfig
from components.anomaly_gate.data_gates import DataGateResult, GatedData, SplitData, judge_data, label_change
from components.statistics_gen.rows import LabelCounts, RowsConfig, rows_of
from tests.components.anomaly_gate.statistics import statistics_of

Table = dict[str, list[Any]]
FEATURES = {"distance": "distance", "place": "city"}
TASKS = {"late": "late", "delay": "delay"}


def table(seed: int = 0, rows: int = 400, late: float = 0.3, shift: float = 0.0, **changed: Sequence[Any]) -> Table:
    random = np.random.default_rng(seed)
    columns: Table = {
        "distance": random.normal(1000, 200, rows).tolist(),
        "city": random.choice(["oslo", "rome", "lima"], rows).tolist(),
        "late": np.where(random.random(rows) < late, "yes", "no").tolist(),
        "delay": (random.normal(5, 20, rows) + shift).tolist(),
        "customer": random.integers(0, 2**40, rows).tolist(),
    }
    return {**columns, **{name: list(values) for name, values in changed.items()}}


def joined(*tables: Table) -> Table:
    return {name: [value for one in tables for value in one[name]] for name in tables[0]}


def first(rows: int, of: Table, **changed: Sequence[Any]) -> Table:
    return {**{name: values[:rows] for name, values in of.items()}, **{k: list(v) for k, v in changed.items()}}


def split_of(columns: Table, key: Sequence[str] = ()) -> SplitData:
    count, statistics = read_columns(statistics_of(columns))
    kinds = {"distance": pa.float32(), "delay": pa.float32(), "customer": pa.int64()}
    lists = [
        pa.array(
            [None if v is None else [v.encode() if isinstance(v, str) else v] for v in values],
            pa.large_list(kinds.get(name, pa.large_binary())),
        )
        for name, values in columns.items()
    ]
    config = RowsConfig(features=list(FEATURES.values()), key=list(key), labels=dict.fromkeys(TASKS.values()))
    return SplitData(count, statistics, rows_of(pa.RecordBatch.from_arrays(lists, list(columns)), config))


def judge(
    train: Table, evaluated: Table, blessed: Table | None = None, negative: Sequence[str] = (), **gates: Any
) -> list[DataGateResult]:
    config = DataGatesConfig.model_validate(gates)
    gated = GatedData(gates=config, features=FEATURES, tasks=TASKS, negative_if_empty=list(negative))
    earlier = split_of(blessed).rows if blessed else None
    key = config.shared_keys.columns
    return judge_data(split_of(train, key), split_of(evaluated, key), earlier.labels if earlier else None, gated)


def broken(*given: Any, **gates: Any) -> list[tuple[str, str | None, str]]:
    return [(result.gate, result.of, result.split) for result in judge(*given, **gates) if not result.passed]


def one(results: list[DataGateResult], gate: str, of: str | None = None) -> DataGateResult:
    (result,) = [result for result in results if (result.gate, result.of, result.split) == (gate, of, "both")]
    return result


def test_data_from_one_distribution_pass_every_gate() -> None:
    results = judge(table(0, 1000), table(1), blessed=table(2))
    assert [result.text for result in results if not result.passed] == []
    assert {result.gate for result in results} == {
        "rows",
        "labelled",
        "missing",
        "missing.max_rise",
        "duplicates",
        "shared_rows",
        "label_drift",
        "label_drift_since_blessed",
    }
    assert all(result.value is not None for result in results)


@pytest.mark.parametrize("rows", [5, 30, 120])
def test_few_rows_are_no_drift(rows: int) -> None:
    gates = {"rows": {"min": 0}, "labelled": {"min": 0}}
    found = [gate for seed in range(20) for gate in broken(table(seed, 500), table(seed + 100, rows), **gates)]
    assert found == []


def test_too_few_rows_and_labels() -> None:
    few = table(1, 30, delay=[1.0] * 5 + [None] * 25)
    assert broken(table(0), few, labelled={"min": 10}) == [("rows", None, "eval"), ("labelled", "delay", "eval")]
    (text,) = [r.text for r in judge(table(0), few, labelled={"min": 0}) if not r.passed]
    limit, remedy = "data_gates.rows: at least 100", "give more data, or choose another data.split"
    assert text == f"the eval split has 30 rows ({limit}): {remedy}"
    # Where empty means that no class applies, every row is labelled.
    none = {**table(1), "late": [None] * 400}
    assert ("labelled", "late", "eval") in broken(table(0), none)
    results = judge(table(0), none, negative=["late"])
    assert [r.value for r in results if (r.gate, r.of, r.split) == ("labelled", "late", "eval")] == [400]


def test_missing_values_by_feature_and_their_rise() -> None:
    gone = table(1, city=[None] * 200 + ["oslo"] * 200)
    results = judge(table(0), gone)
    assert [(r.gate, r.of) for r in results if not r.passed] == [("missing.max_rise", "place")]
    assert one(results, "missing.max_rise", "place").text.startswith(
        "feature place is missing in 0 % of the train rows, 50 % of the eval rows (data_gates.missing.max_rise: at "
        "most 25 %): correct the source"
    )
    strict = {"max_rise": 1.0, "features": {"place": 0.4}}
    assert broken(table(0), gone, missing=strict) == [("missing", "place", "eval")]
    assert broken(table(0), table(1, city=[None] * 400), missing={"max_rise": 1.0}) == [("missing", "place", "eval")]


def test_copies_within_a_split() -> None:
    whole = table(0)
    assert broken(joined(whole, first(20, whole)), table(1)) == []
    assert broken(joined(whole, first(40, whole)), table(1)) == [("duplicates", None, "train")]
    # Another label makes another row.
    assert broken(joined(whole, first(40, whole, delay=[7.5] * 40)), table(1)) == []


def test_eval_rows_that_are_in_train_but_for_the_label_or_the_last_digits() -> None:
    train, other = table(0), table(1)
    near = [value * 1.0000002 for value in train["distance"][:40]]
    copies = first(40, train, distance=near, delay=[7.5] * 40)
    results = judge(train, joined(other, copies))
    assert [r.gate for r in results if not r.passed] == ["shared_rows"]
    shared = one(results, "shared_rows")
    assert shared.value == pytest.approx(40 / 440, abs=0.01)
    assert (
        "equal a train row in every feature (fractions to 6 digits) (data_gates.shared_rows: at most 5 %)"
        in shared.text
    )
    far = first(40, train, distance=[value * 1.01 for value in train["distance"][:40]])
    assert broken(train, joined(other, far)) == []


def test_equal_rows_say_nothing_where_the_features_have_few_combinations() -> None:
    coarse = [table(seed, distance=[1.0, 2.0] * 200) for seed in (0, 1)]
    results = judge(*coarse)
    assert [r.text for r in results if not r.passed] == []
    assert one(results, "shared_rows").value is None
    assert one(results, "shared_rows").text.startswith("the features take only 6 combinations in 400 rows")


def test_keys_of_both_splits() -> None:
    train = table(0)
    evaluated = table(1, customer=train["customer"][:100] + table(2)["customer"][:300])
    keys = {"columns": ["customer"], "level": "error"}
    (result,) = [r for r in judge(train, evaluated, shared_keys=keys) if not r.passed]
    assert (result.gate, result.value, result.limit, result.level) == ("shared_keys", 0.25, 0.0, "error")
    assert "25 % of the eval rows with a key (customer) have one of the train split" in result.text
    assert "data.split: {by: hash, key: [customer]}" in result.text
    assert broken(train, evaluated, shared_keys={**keys, "max": 0.3}) == []


def test_labels_drift_from_train_to_eval_and_since_the_last_blessed_run() -> None:
    changed = table(1, late=0.6, shift=15.0)
    results = judge(table(0), changed, blessed=table(2))
    assert [(r.gate, r.of) for r in results if not r.passed] == [
        ("label_drift", "late"),
        ("label_drift_since_blessed", "late"),
        ("label_drift", "delay"),
        ("label_drift_since_blessed", "delay"),
    ]
    assert one(results, "label_drift", "late").value == pytest.approx(0.3, abs=0.08)
    assert one(results, "label_drift", "late").text.startswith("task late: ")
    # Between two normal distributions of equal deviation the distance is 2 Φ(shift / 2 deviations) - 1.
    assert one(results, "label_drift", "delay").value == pytest.approx(0.29, abs=0.07)
    assert " of the labels are at most " in one(results, "label_drift", "delay").text
    assert broken(table(0), changed, label_drift={"max": 0.5}) == []


def test_without_an_earlier_run_or_counted_rows_nothing_is_compared() -> None:
    results = judge(table(0), table(1, delay=[None] * 400))
    since = one(results, "label_drift_since_blessed", "late")
    assert (since.passed, since.value) == (True, None)
    assert since.text == "task late: no labels are known of the last blessed run"
    assert one(results, "label_drift", "delay").text == "task delay: no labels are known of the eval split"
    train, evaluated = (SplitData(data.count, data.columns, None) for data in (split_of(table(0)), split_of(table(1))))
    gated = GatedData(features=FEATURES, tasks=TASKS)
    results = judge_data(train, evaluated, None, gated)
    assert [r for r in results if not r.passed] == []
    assert [r.gate for r in results if r.value is None][:3] == ["duplicates", "duplicates", "shared_rows"]


def test_an_ignored_gate_is_left_out() -> None:
    assert "rows" not in {result.gate for result in judge(table(0), table(1, 5), rows={"level": "ignore"})}


def test_few_different_numbers_are_compared_as_classes() -> None:
    before = LabelCounts(1000, Counter({0.0: 700, 1.0: 200, 2.0: 100}))
    after = LabelCounts(1000, Counter({0.0: 700, 1.0: 100, 2.0: 200}))
    change = label_change(before, after)
    assert (change.what, round(change.size, 6), change.by_chance) == ("1", 0.1, False)
