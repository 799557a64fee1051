"""Spans and versions in paths, and a split by span: the newest evaluates, those before it train."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tfx.orchestration.data_types import ComponentInfo, PipelineInfo
from tfx.proto import range_config_pb2
from tfx.utils import proto_utils

from components.example_gen.component import ArrowExampleGen
from janus_core.errors import DataError
from janus_core.tables import pieces as plan
from janus_core.tables.config import DataConfig
from janus_core.tables.files import find_files
from janus_core.tables.spans import Span, choose_span, describe_spans, parse_span, spans_of, training_spans
from tests.components.example_gen.helpers import counts, rows, run_component, shards, write_csv


def by_span(folder: Path, window: int = 2, pattern: str = "{SPAN}/v{VERSION}/*.csv") -> DataConfig:
    return DataConfig(path=f"{folder}/in/{pattern}", split={"by": "span"}, window=window)


def write_span(folder: Path, span: int, version: int = 1, rows: int = 10) -> None:
    """Rows whose ids begin with the span and the version."""
    path = folder / "in" / str(span) / f"v{version}" / "a.csv"
    write_csv(path, ["id"], [[span * 10000 + version * 1000 + row] for row in range(rows)])


def component(data: DataConfig, span: int | None = None) -> ArrowExampleGen:
    one = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span) if span is not None else None
    return ArrowExampleGen(data=data, range_config=range_config_pb2.RangeConfig(static_range=one) if one else None)


def resolved(generator: ArrowExampleGen) -> dict[str, Any]:
    given = {name: value for name, value in generator.spec.exec_properties.items() if value is not None}
    given = {k: v if isinstance(v, int | str) else proto_utils.proto_to_json(v) for k, v in given.items()}
    info = PipelineInfo("p", "r")
    return generator.DRIVER_CLASS(None).resolve_exec_properties(given, info, ComponentInfo("t", "i", info))


def sources(examples: Any, split: str) -> set[tuple[int, int]]:
    """The (span, version) of a split's rows."""
    return {(row["id"][1][0] // 10000, row["id"][1][0] // 1000 % 10) for row in rows(examples, split)}


def test_the_newest_evaluates_and_the_last_before_it_train(tmp_path: Path) -> None:
    # 4 never came, 10 sorts before 2 as text, and 3 came in two versions.
    for span, version in ((1, 1), (2, 1), (3, 1), (3, 2), (10, 1)):
        write_span(tmp_path, span, version, rows=span)
    data = by_span(tmp_path)
    examples = run_component(component(data), tmp_path / "out")
    assert sources(examples, "eval") == {(10, 1)}
    assert sources(examples, "train") == {(3, 2), (2, 1)}
    assert counts(examples) == {"train": 5, "eval": 10}
    trained = json.loads(examples.get_string_custom_property("training_spans"))
    assert trained == [{"span": 3, "train": 3}, {"span": 2, "train": 2}]
    assert [Path(path).parts[-3:] for path in find_files(data)] == [
        ("10", "v1", "a.csv"),
        ("3", "v2", "a.csv"),
        ("2", "v1", "a.csv"),
    ]


def test_a_given_span_is_run_as_if_nothing_had_come_later(tmp_path: Path) -> None:
    for span in (1, 2, 3, 4):
        write_span(tmp_path, span)
    examples = run_component(component(by_span(tmp_path), span=3), tmp_path / "out")
    assert sources(examples, "eval") == {(3, 1)}
    assert sources(examples, "train") == {(2, 1), (1, 1)}


def test_large_spans_are_divided_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PIECE_BYTES", 300)
    monkeypatch.setattr("janus_core.tables.csv_reader.BLOCK_BYTES", 100)
    for span in (1, 2, 3):
        write_span(tmp_path, span, rows=100 * span)
    examples = run_component(component(by_span(tmp_path)), tmp_path / "out")
    assert counts(examples) == {"train": 300, "eval": 300}
    assert len(shards(examples, "train")) > 2
    trained = json.loads(examples.get_string_custom_property("training_spans"))
    assert trained == [{"span": 2, "train": 200}, {"span": 1, "train": 100}]


def test_what_changes_a_span_of_the_window_changes_the_cache_key(tmp_path: Path) -> None:
    for span in (1, 3, 5, 6):
        write_span(tmp_path, span)

    def key() -> str:
        return json.dumps(resolved(component(by_span(tmp_path))))

    before = key()
    write_span(tmp_path, 2)
    assert key() == before, "too old for the window"
    write_span(tmp_path, 3, version=2)
    changed = key()
    assert changed != before, "a new version"
    write_span(tmp_path, 4)
    assert key() != changed, "one that came late"


def test_asking_for_the_newest_span_is_the_same_as_not_asking(tmp_path: Path) -> None:
    for span in (1, 2):
        write_span(tmp_path, span)
    data = by_span(tmp_path)
    assert resolved(component(data, span=2)) == resolved(component(data))
    assert resolved(component(data))["range_config"] == ""


def test_the_first_span_alone_is_refused(tmp_path: Path) -> None:
    write_span(tmp_path, 7)
    data = by_span(tmp_path)
    for find in (lambda: find_files(data), lambda: resolved(component(data))):
        with pytest.raises(DataError, match="span 7 .* is evaluated .* has none before it: run again"):
            find()


def test_a_span_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    for span in (1, 2, 3, 9):
        write_span(tmp_path, span)
    data = by_span(tmp_path)
    for find in (lambda: find_files(data, 5), lambda: resolved(component(data, span=5))):
        with pytest.raises(DataError, match=r"there is no span 5 in .*; the existing ones are 1-3, 9"):
            find()


@pytest.mark.parametrize("split", [{"by": "span"}, {"by": "hash"}])
def test_spans_must_stand_in_the_path(split: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"needs {SPAN}.*data.path, which is 'data/x'"):
        DataConfig(path="data/x", split=split, window=2)


def test_days_are_numbered_as_tfx_does() -> None:
    paths = ["2013/12-31/a.csv", "2014/01-01/a.csv", "2014/01-03/a.csv", "notes/12-31/a.csv"]
    spans = spans_of(paths, "{YYYY}/{MM}-{DD}/*.csv")
    assert [span.number for span in spans] == [16070, 16071, 16073]
    assert describe_spans(spans) == "2013-12-31 to 2014-01-01, 2014-01-03"
    assert spans[1].pattern == "2014/01-01/*.csv"
    assert parse_span("2014-01-03") == 16073
    assert parse_span("42") == 42
    with pytest.raises(DataError, match="there is no span 2014-01-02 in"):
        choose_span(spans, DataConfig(path="{YYYY}/{MM}-{DD}"), 16072)


@pytest.mark.parametrize("pattern", ["{YYYY}/{MM}/a", "v{VERSION}/a", "{SPAN}/{DD}/a", "{SPAN}/{SPAN}/a"])
def test_a_pattern_that_tfx_would_refuse(pattern: str) -> None:
    with pytest.raises(DataError, match="either {SPAN} or all of {YYYY}"):
        spans_of([], pattern)


def test_a_date_that_there_is_not() -> None:
    with pytest.raises(DataError, match="2013-02-30/a.csv: there is no such date"):
        spans_of(["2013-02-30/a.csv"], "{YYYY}-{MM}-{DD}/a.csv")


def test_zero_padding_is_kept() -> None:
    assert spans_of(["d-007/v01/a"], "d-{SPAN:3}/v{VERSION:2}/*") == [Span(7, 1, "d-007/v01/*", False)]


def test_of_many_gaps_the_last_spans_are_shown() -> None:
    spans = [Span(number, None, "", False) for number in range(0, 60, 3)]
    assert describe_spans(spans) == "…, 36, 39, 42, 45, 48, 51, 54, 57"


def test_fewer_spans_than_the_window_are_all_trained_on() -> None:
    spans = [Span(number, None, "", False) for number in (1, 2, 3)]
    data = DataConfig(path="{SPAN}/a", split={"by": "span"}, window=30)
    assert [span.number for span in training_spans(spans, spans[-1], data)] == [2, 1]
    data = DataConfig(path="{SPAN}/a", split={"by": "span"})
    assert [span.number for span in training_spans(spans, spans[-1], data)] == [2]


@pytest.mark.parametrize("text", ["newest", "-1", "2013-13-01", ""])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="neither a span's number nor a date"):
        parse_span(text)
