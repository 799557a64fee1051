"""Curated schemas: reading, checking, comparing, freezing."""

from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.anomaly_gate.column import Column
from janus_core.errors import DataError
from pipeline.schema import (
    ColumnDifference,
    check_schema,
    column_differences,
    column_types,
    read_schema,
    to_freeze,
    to_text,
)
from tests.pipeline.small import small_config

NUMBER = Column(
    name="x", type="INT", rows=10, present=10, infinite=0, value_counts=None, least=1, greatest=9, shortest=1, longest=1
)


def schema(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def compare(in_file: str, inferred: str, **columns: Column) -> list[ColumnDifference]:
    return column_differences(schema(in_file), schema(inferred), 10, columns)


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no schema file .*janus schema CONFIG --write"):
        read_schema(tmp_path / "none.pbtxt")


@pytest.mark.parametrize("content", ["feature { nmae: 'x' }", "\xff\xfe"])
def test_what_is_no_schema_is_rejected(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.pbtxt"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=r"bad\.pbtxt"):
        read_schema(path)


def test_a_domain_must_hold_the_classes(tmp_path: Path) -> None:
    text = """
    feature { name: "distance" type: INT } feature { name: "carrier" type: BYTES } feature { name: "delay" type: FLOAT }
    feature { name: "late" type: BYTES domain: "answers" } string_domain { name: "answers" value: "no" }
    """
    with pytest.raises(DataError, match=r"domain of column 'late' lacks the class\(es\) yes"):
        check_schema(schema(text), Path("s.pbtxt"), small_config(tmp_path))
    check_schema(schema(text.replace('"no"', '"no" value: "yes"')), Path("s.pbtxt"), small_config(tmp_path))


def test_column_types_are_what_example_gen_takes() -> None:
    found = column_types(
        schema(
            'feature { name: "a" type: INT } feature { name: "b" type: FLOAT } feature { name: "c" type: BYTES } '
            'feature { name: "d" }'
        )
    )
    assert found == {"a": "int", "b": "float", "c": "bytes"}


def test_freezing_keeps_classes_and_drops_what_happened_to_be_seen(tmp_path: Path) -> None:
    inferred = schema(
        'feature { name: "carrier" type: BYTES domain: "carrier" } feature { name: "late" type: BYTES domain: "late" } '
        'string_domain { name: "carrier" value: "A" value: "B" } string_domain { name: "late" value: "no" }'
    )
    frozen = text_format.Parse(to_text(to_freeze(inferred, small_config(tmp_path))), schema_pb2.Schema())
    assert [feature.name for feature in frozen.feature] == ["carrier", "late"]
    assert not frozen.string_domain
    assert frozen.feature[0].WhichOneof("domain_info") is None
    assert list(frozen.feature[1].string_domain.value) == ["no", "yes"]


TAGS = {
    "tags": {
        "kind": "multilabel",
        "label": "late",
        "classes": ["1", "2"],
        "separator": "|",
        "sample_weight": "carrier",
    },
    "visits": {"kind": "count", "label": "delay"},
}


def test_kinds_of_label_and_weights_need_their_types(tmp_path: Path) -> None:
    text = """
    feature { name: "distance" type: INT } feature { name: "carrier" type: BYTES } feature { name: "delay" type: BYTES }
    feature { name: "late" type: INT }
    """
    config = small_config(tmp_path, tasks=TAGS, evaluation={}, features={"distance": {"kind": "numeric"}})
    with pytest.raises(DataError) as caught:
        check_schema(schema(text), Path("s.pbtxt"), config)
    assert caught.value.problems == [
        "s.pbtxt: column 'carrier' is BYTES, but tasks.tags.sample_weight needs a number",
        "s.pbtxt: column 'delay' is BYTES, but tasks.visits.label needs a number",
        "s.pbtxt: column 'late' is INT, but a label with a separator ('|') is BYTES",
    ]


def test_freezing_keeps_several_classes_in_one_string_text_without_a_domain(tmp_path: Path) -> None:
    config = small_config(tmp_path, tasks=TAGS, evaluation={}, features={"distance": {"kind": "numeric"}})
    (late,) = to_freeze(schema('feature { name: "late" type: INT }'), config).feature
    assert late.type == schema_pb2.BYTES
    assert late.WhichOneof("domain_info") is None


def test_limits_that_the_data_keep_are_no_difference() -> None:
    in_file = 'feature { name: "x" type: INT presence { min_fraction: 0.5 } int_domain { min: 0 max: 9 } }'
    inferred = 'feature { name: "x" type: INT presence { min_count: 1 } value_count { min: 1 max: 1 } }'
    assert compare(in_file, inferred, x=replace(NUMBER, present=6)) == []
    shaped = 'feature { name: "x" type: INT shape { dim { size: 1 } } }'
    assert compare(shaped, inferred, x=NUMBER) == []


@pytest.mark.parametrize(
    ("in_file", "column", "expected"),
    [
        (
            "type: INT presence { min_fraction: 0.9 }",
            replace(NUMBER, present=6),
            ColumnDifference("x", "INT, in 0.9 of the rows", "INT, in 0.6 of the rows, from 1 to 9", True),
        ),
        (
            "type: INT shape { dim { size: 1 } }",
            replace(NUMBER, present=9),
            ColumnDifference("x", "INT, in every row", "INT, in 0.9 of the rows, from 1 to 9", True),
        ),
        (
            "type: INT int_domain { min: 2 }",
            NUMBER,
            ColumnDifference("x", "INT, may be missing, from 2", "INT, in every row, from 1 to 9", True),
        ),
        (
            "type: FLOAT",
            NUMBER,
            ColumnDifference("x", "FLOAT, may be missing", "INT, in every row, from 1 to 9", False),
        ),
        (
            "type: INT value_count { min: 2 max: 3 }",
            NUMBER,
            ColumnDifference("x", "INT, may be missing, 2-3 values", "INT, in every row, from 1 to 9", True),
        ),
    ],
)
def test_a_difference_says_both_sides_and_whether_a_run_stops(
    in_file: str, column: Column, expected: ColumnDifference
) -> None:
    assert compare(f'feature {{ name: "x" {in_file} }}', 'feature { name: "x" type: INT }', x=column) == [expected]


def test_new_values_stop_a_run_where_the_file_has_a_domain() -> None:
    values = 'feature {{ name: "c" type: BYTES string_domain {{ {} }} }}'
    a, ab = (values.format(" ".join(f'value: "{value}"' for value in found)) for found in ("A", "AB"))
    assert compare(ab, a) == []
    assert compare('feature { name: "c" type: BYTES }', ab) == []
    (difference,) = compare(a, ab)
    assert (difference.inferred, difference.stops) == ("BYTES, may be missing, one of 2: A, B", True)


def test_columns_that_one_side_lacks_come_in_order() -> None:
    found = compare('feature { name: "old" type: INT }', 'feature { name: "new" type: INT }')
    assert [(difference.column, difference.in_file is None, difference.stops) for difference in found] == [
        ("old", False, True),
        ("new", True, False),
    ]
