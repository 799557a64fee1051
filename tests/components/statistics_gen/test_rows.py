"""What is counted of a split's rows, in parts and as a whole, and after it was written."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.statistics_gen.component import ArrowStatisticsGen
from components.statistics_gen.executor import ROWS_KEY, Executor
from components.statistics_gen.rows import (
    CombineRows,
    HashCounts,
    LabelCounts,
    Rows,
    RowsConfig,
    count_hashes,
    read_rows,
    rows_of,
    write_rows,
)
from tests.components.examples import example, examples_artifact
from tests.components.statistics_gen.test_executor import run

CONFIG = RowsConfig(features=["x", "city"], key=["id"], labels={"late": None, "delay": None, "tags": "|"})


def batch(seed: int, rows: int, repeat: int = 1) -> pa.RecordBatch:
    """Random rows, each `repeat` times; ids are shared by all seeds."""
    random = np.random.default_rng(seed)
    columns: dict[str, tuple[pa.DataType, list[Any]]] = {
        "id": (pa.int64(), [*range(rows)]),
        "x": (pa.float32(), random.normal(size=rows).tolist()),
        "city": (pa.large_binary(), [b"oslo", None] * (rows // 2) + [b"lima"] * (rows % 2)),
        "late": (pa.large_binary(), random.choice([b"yes", b"no"], rows).tolist()),
        "delay": (pa.float32(), [None, *random.normal(size=rows - 1).tolist()]),
        "tags": (pa.large_binary(), [b"a|b", b" b "] * (rows // 2) + [b"a"] * (rows % 2)),
    }
    lists = [
        pa.array([None if v is None else [v] for v in values for _ in range(repeat)], pa.large_list(kind))
        for kind, values in columns.values()
    ]
    return pa.RecordBatch.from_arrays(lists, list(columns))


def combined(batches: list[pa.RecordBatch], accumulators: int = 1) -> Rows:
    combine = CombineRows(CONFIG)
    parts = [combine.create_accumulator() for _ in range(accumulators)]
    for place, one in enumerate(batches):
        parts[place % accumulators] = combine.add_input(parts[place % accumulators], one)
    return combine.extract_output(combine.merge_accumulators(parts))


def assert_same(first: Rows, second: Rows) -> None:
    for name in ("exact", "features", "key"):
        ours, theirs = getattr(first, name), getattr(second, name)
        assert ours.hashes.tolist() == theirs.hashes.tolist()
        assert ours.counts.tolist() == theirs.counts.tolist()
        assert ours.bits == theirs.bits
    assert first.labels == second.labels


def test_copies_and_shared_rows_are_counted() -> None:
    once, twice, other = (rows_of(batch(*of), CONFIG) for of in ((0, 100), (0, 100, 2), (1, 300)))
    assert once.exact.repeated == 0
    assert twice.exact.repeated == 0.5
    assert twice.features.share_in(once.features) == 1.0
    assert other.features.share_in(once.features) == 0.0
    assert other.key.share_in(once.key) == pytest.approx(1 / 3)
    assert once.key.share_in(other.key) == 1.0


def test_rows_without_a_key_have_none_in_common() -> None:
    columns = {"id": pa.array([None, [1]], pa.large_list(pa.int64())), "x": pa.array([[1.0], [2.0]])}
    rows = rows_of(pa.RecordBatch.from_arrays(list(columns.values()), list(columns)), CONFIG)
    assert (rows.exact.counts.sum(), rows.key.counts.sum()) == (2, 1)


def test_labels_are_counted_by_class_and_by_rounded_number() -> None:
    labels = rows_of(batch(0, 101), CONFIG).labels
    assert labels["late"].rows == sum(labels["late"].values.values()) == 101
    assert labels["delay"].rows == 100
    assert all(float(f"{value:.3e}") == value for value in labels["delay"].values)
    assert labels["tags"] == LabelCounts(101, Counter({"b": 100, "a": 51}))


def test_parts_in_any_order_are_the_whole(tmp_path: Path) -> None:
    batches = [batch(seed, 50, 1 + seed % 3) for seed in range(150)]
    whole = combined(batches)
    assert whole.exact.counts.sum() == sum(one.num_rows for one in batches)
    assert_same(whole, combined(batches[::-1], accumulators=4))
    write_rows(whole, str(tmp_path / "Split-train"))
    written = read_rows(str(tmp_path), "train")
    assert written is not None
    assert_same(written, whole)
    assert read_rows(str(tmp_path), "eval") is None


def test_of_too_many_rows_those_of_some_hashes_are_kept_in_every_split() -> None:
    random = np.random.default_rng(0)
    common = random.integers(0, 2**64, 10_000, np.uint64)
    alone = [random.integers(0, 2**64, size, np.uint64) for size in (30_000, 10_000)]
    train, evaluated = (
        count_hashes(
            [HashCounts(part, np.ones(len(part), np.int64)) for part in np.array_split(np.append(common, of), 7)], 5000
        )
        for of in alone
    )
    assert train.bits > evaluated.bits > 0
    assert max(len(train.hashes), len(evaluated.hashes)) <= 5000
    assert evaluated.share_in(train) == pytest.approx(0.5, abs=0.04)
    assert train.share_in(evaluated) == pytest.approx(0.25, abs=0.04)


@pytest.mark.slow
def test_statistics_gen_counts_every_shard(tmp_path: Path) -> None:
    shards = [[example({"x": 0.5 + n, "city": b"oslo", "late": b"no"}) for n in range(40)] for _ in range(2)]
    examples = examples_artifact(tmp_path / "examples", {"train": shards, "eval": [shards[0][:10]]})
    statistics = run(Executor, examples, tmp_path / "out", **{ROWS_KEY: CONFIG.model_dump_json()})
    train, evaluated = (read_rows(statistics.uri, split) for split in ("train", "eval"))
    assert train is not None
    assert evaluated is not None
    assert (int(train.exact.counts.sum()), train.exact.repeated) == (80, 0.5)
    assert evaluated.features.share_in(train.features) == 1.0
    assert train.labels["late"] == LabelCounts(80, Counter({"no": 80}))
    component = ArrowStatisticsGen(examples=examples_channel(examples), rows=CONFIG)
    assert RowsConfig.model_validate_json(component.exec_properties[ROWS_KEY]) == CONFIG


def examples_channel(examples: Any) -> Any:
    from tfx.types import channel_utils

    return channel_utils.as_channel([examples])
