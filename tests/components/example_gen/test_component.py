"""The component is an ExampleGen as TFX knows it: spans, versions, cache keys, artifact; and deterministic."""

import csv
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tfx.components.util import examples_utils
from tfx.orchestration.data_types import ComponentInfo, PipelineInfo
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from components.example_gen import executor
from components.example_gen.component import ArrowExampleGen
from components.example_gen.parameters import SETTINGS_PROPERTY, settings_digest
from janus_core.errors import DataError
from janus_core.tables import pieces as plan
from janus_core.tables.config import DataConfig
from janus_core.tables.files import find_files
from tests.components.example_gen.helpers import (
    contents,
    counts,
    data_config,
    records,
    rows,
    run,
    run_component,
    shards,
    write_csv,
)

HEADER = ["id", "name"]


def table(path: Path, start: int = 0, rows: int = 200) -> Path:
    return write_csv(path, HEADER, [[start + i, f"n{i}\n{i % 7}"] for i in range(rows)])


def digests(out: Path) -> dict[str, str]:
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_artifact_is_what_tfx_expects(tmp_path: Path) -> None:
    examples = run(data_config(table(tmp_path / "in" / "t.csv")), tmp_path / "out")
    assert artifact_utils.decode_split_names(examples.split_names) == ["train", "eval"]
    assert examples_utils.get_payload_format(examples) == example_gen_pb2.FORMAT_TF_EXAMPLE
    assert examples_utils.get_file_format(examples) == "tfrecords_gzip"
    for split in ("train", "eval"):
        names = [path.name for path in shards(examples, split)]
        assert names == [f"data_tfrecord-{i:05d}-of-{len(names):05d}.gz" for i in range(len(names))]
        assert counts(examples)[split] == len(records(examples, split)) > 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Split-eval", "Split-train"]


def test_texts_for_missing_values_leave_a_column_of_numbers(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in" / "t.csv", ["n", "text"], [[1, "NA"], ["NA", "b"], ["?", "c"], [2, "d"]])
    data = data_config(path).model_copy(update={"null_values": ["NA", "?"]})
    found = [(row.get("n"), row.get("text")) for row in rows(run(data, tmp_path / "out"))]
    assert sorted(found, key=str) == sorted(
        [
            (("int64_list", (1,)), None),
            (None, ("bytes_list", (b"b",))),
            (None, ("bytes_list", (b"c",))),
            (("int64_list", (2,)), ("bytes_list", (b"d",))),
        ],
        key=str,
    )
    plain = [row.get("n") for row in rows(run(data_config(path), tmp_path / "plain"))]
    assert ("bytes_list", (b"NA",)) in plain


def test_numbers_with_marks_units_and_words_of_one_column(tmp_path: Path) -> None:
    cells = [["1.234,5", "30%", "NA"], ["0,5", "NA", "b"], [" ", "4 %", "c"]]
    path = write_csv(tmp_path / "in" / "t.csv", ["n", "share", "text"], cells)
    keys = {"null_values": {"share": ["NA"]}, "decimal": ",", "thousands": "."}
    examples = run(data_config(path).model_copy(update=keys), tmp_path / "out", units={"share": "%"})
    found = [tuple(row.get(name, (None, (None,)))[1][0] for name in ("n", "share", "text")) for row in rows(examples)]
    assert sorted(found, key=str) == sorted([(1234.5, 30, b"NA"), (0.5, None, b"b"), (None, 4, b"c")], key=str)


@pytest.mark.parametrize("quote", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_rows_at_the_end_of_each_file_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quote: int) -> None:
    monkeypatch.setattr(plan, "PIECE_BYTES", 100)
    for name in ("a", "b"):
        cells = [*([row, "x"] for row in range(40)), ["Total", 780], ["", ""]]
        write_csv(tmp_path / "in" / f"{name}.csv", ["n", "text"], cells, quoting=quote)
    data = data_config(tmp_path / "in").model_copy(update={"skip_footer": 2})
    found = [row["n"] for row in rows(run(data, tmp_path / "out", column_types={"n": "int"}))]
    assert sorted(found) == sorted([("int64_list", (row,)) for row in range(40)] * 2)
    with pytest.raises(DataError, match="line 42: column 'n' holds 'Total'"):
        run(data_config(tmp_path / "in"), tmp_path / "whole", column_types={"n": "int"})


def test_text_among_numbers_is_reported_with_the_remedy(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in" / "t.csv", ["n"], [[1], ["n/a"], [2]])
    with pytest.raises(DataError, match=r"line 3: column 'n' holds 'n/a', .*: data.null_values: \{n: \['n/a'\]\}"):
        run(data_config(path), tmp_path / "out", column_types={"n": "int"})
    write_csv(path, ["n"], [[1], ["12 km"], [2]])
    with pytest.raises(DataError, match=r"holds '12 km', which is not a whole number; .* unit names them$"):
        run(data_config(path), tmp_path / "out2", column_types={"n": "int"})


def test_only_csv_has_texts_for_missing_values() -> None:
    with pytest.raises(ValueError, match="applies to CSV only, and the format is parquet"):
        DataConfig(path="t.parquet", format="parquet", null_values=["NA"])


def test_same_input_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PIECE_BYTES", 700)
    for i in range(4):
        table(tmp_path / "in" / f"{i}.csv", start=1000 * i)
    data = data_config(tmp_path / "in")
    run(data, tmp_path / "one")
    monkeypatch.setattr(executor, "worker_threads", lambda args: 7)
    run(data, tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert len(digests(tmp_path / "one")) == 8


def test_pieces_lose_nothing_and_keep_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "t.csv", rows=3000)
    whole = run(data_config(path), tmp_path / "whole")
    monkeypatch.setattr(plan, "PIECE_BYTES", 2000)
    monkeypatch.setattr("janus_core.tables.csv_reader.BLOCK_BYTES", 300)
    pieces = run(data_config(path), tmp_path / "pieces")
    assert contents(whole) == contents(pieces)
    for split in ("train", "eval"):
        assert records(whole, split) == records(pieces, split)
    assert len(shards(pieces, "train")) > 10


def test_small_files_share_a_shard(tmp_path: Path) -> None:
    for i in range(30):
        table(tmp_path / "in" / f"{i:02d}.csv", start=100 * i, rows=5)
    examples = run(data_config(tmp_path / "in"), tmp_path / "out")
    assert len(shards(examples, "train")) == 1
    assert sum(counts(examples).values()) == 150


@pytest.mark.parametrize(
    ("names", "pattern", "span", "version", "newest"),
    [
        (["span-1/v2/a.csv", "span-2/v1/a.csv", "span-2/v10/a.csv"], "span-{SPAN}/v{VERSION}/*", 2, 10, 2),
        (["span-1/a.csv", "span-12/a.csv"], "span-{SPAN}", 12, None, 1),
        (["2013-11-05/a.csv", "2013-11-06/a.csv"], "{YYYY}-{MM}-{DD}/*.csv", 16015, None, 1),
        (["d-03.csv", "d-11.csv"], "d-{SPAN:2}.csv", 11, None, 1),
    ],
)
def test_spans_and_versions(
    names: list[str], pattern: str, span: int, version: int | None, newest: int, tmp_path: Path
) -> None:
    for i, name in enumerate(names):
        table(tmp_path / "in" / name, start=1000 * i)
    data = data_config(f"{tmp_path}/in/{pattern}")
    assert find_files(data) == [f"{tmp_path}/in/{names[newest]}"]
    examples = run(data, tmp_path / "out")
    assert {row["id"][1][0] // 1000 for row in rows(examples)} == {newest}
    properties = resolved(ArrowExampleGen(data=data))
    assert (properties["span"], properties["version"]) == (span, version)


def test_a_given_span_is_read(tmp_path: Path) -> None:
    for i in range(3):
        table(tmp_path / "in" / f"{i}" / "a.csv", start=1000 * i)
    static = range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=1, end_span_number=1)
    )
    component = ArrowExampleGen(data=data_config(f"{tmp_path}/in/{{SPAN}}/*"), range_config=static)
    examples = run_component(component, tmp_path / "out")
    assert {row["id"][1][0] // 1000 for row in rows(examples)} == {1}


def resolved(component: ArrowExampleGen) -> dict[str, Any]:
    given = {name: value for name, value in component.spec.exec_properties.items() if value is not None}
    given = {k: v if isinstance(v, int | str) else proto_utils.proto_to_json(v) for k, v in given.items()}
    info = PipelineInfo("p", "r")
    return component.DRIVER_CLASS(None).resolve_exec_properties(given, info, ComponentInfo("t", "i", info))


def test_cache_key_follows_what_changes_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "t.csv")
    base: dict[str, Any] = {"data": data_config(path), "seed": 1, "domains": {"a": ["x"], "b": ["y"]}}
    base["columns"] = {"a": "features.a", "b": "features.b"}
    key = json.dumps(resolved(ArrowExampleGen(**base)))
    again = {**base, "domains": {"b": ["y"], "a": ["x"]}, "columns": ["b", "a"]}
    assert json.dumps(resolved(ArrowExampleGen(**again))) == key
    for change in (
        {"seed": 2},
        {"column_types": {"id": "float"}},
        {"domains": {"a": ["x"]}},
        {"required_columns": {"id": "features.id"}},
        {"data": data_config(path, split={"by": "hash", "eval_fraction": 0.1})},
    ):
        assert json.dumps(resolved(ArrowExampleGen(**{**base, **change}))) != key
    os.utime(path, (1, 1))
    assert json.dumps(resolved(ArrowExampleGen(**base))) != key
    os.utime(path, None)
    monkeypatch.setattr("components.example_gen.component.node_fingerprint", lambda *paths: "edited")
    assert json.dumps(resolved(ArrowExampleGen(**base))) != key


def test_a_crash_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*args: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("components.example_gen.work.ShardWriter.write", crash)
    with pytest.raises(Exception, match="disk full"):
        run(data_config(table(tmp_path / "t.csv")), tmp_path / "out")
    assert digests(tmp_path / "out") == {}


def test_a_required_column_that_is_not_there(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="features.n: the data have no column 'nmae'; did you mean 'name'"):
        run(data_config(path), tmp_path / "out", required_columns={"nmae": "features.n"})


def test_the_window_is_no_parameter(tmp_path: Path) -> None:
    table(tmp_path / "1" / "t.csv")
    data = data_config(f"{tmp_path}/{{SPAN}}")
    alone, windowed = (ArrowExampleGen(data=data.model_copy(update={"window": window})) for window in (1, 4))
    assert str(alone.exec_properties) == str(windowed.exec_properties)


BY_HASH = {"by": "hash", "eval_fraction": 0.5, "key": ["id"]}
BY_TIME = {"by": "time", "column": "id", "eval_from": 30}


@pytest.mark.parametrize(
    ("split", "changed", "alike"),
    [
        (BY_HASH, {"split": {**BY_HASH, "eval_fraction": 0.4}}, False),
        (BY_HASH, {"seed": 3}, False),
        (BY_TIME, {"seed": 3}, True),
        (BY_TIME, {"split": {**BY_TIME, "eval_from": 35}}, True),
        (BY_TIME, {"split": BY_HASH}, False),
        (BY_TIME, {"column_types": {"id": "float"}}, False),
        (BY_TIME, {"domains": {"id": ["1", "2"]}}, False),
        (BY_TIME, {"data": {"null_values": ["NA"]}}, False),
        (BY_TIME, {"data": {"null_values": []}}, True),
        (BY_TIME, {"data": {"null_values": {"a": ["NA"]}}}, False),
        (BY_TIME, {"data": {"decimal": "."}}, True),
        (BY_TIME, {"data": {"decimal": ","}}, False),
        (BY_TIME, {"data": {"thousands": ","}}, False),
        (BY_TIME, {"units": {"a": "%"}}, False),
        (BY_TIME, {"units": {}}, True),
    ],
)
def test_examples_know_with_which_others_they_may_be_joined(
    split: dict[str, Any], changed: dict[str, Any], alike: bool
) -> None:
    parameters = {
        "data": {"path": "data/{SPAN}", "format": "csv", "split": split},
        "seed": 0,
        "column_types": {},
        "domains": {},
        "required_columns": {},
        "source": "this",
    }
    other = {**parameters, "source": "edited", **changed, "data": {**parameters["data"], **changed.get("data", {})}}
    if "split" in changed:
        other["data"] = {**parameters["data"], "split": other.pop("split")}
    assert (settings_digest(parameters) == settings_digest(other)) == alike


def test_the_artifact_carries_the_digest(tmp_path: Path) -> None:
    examples = run(data_config(table(tmp_path / "t.csv")), tmp_path / "out")
    assert len(examples.get_string_custom_property(SETTINGS_PROPERTY)) == 16
