"""Only the columns that are used are written; the others may be of any type, and still tell rows apart."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.example_gen.parameters import COLUMNS_PROPERTY
from janus_core.errors import DataError
from janus_core.tables.inspect import check_columns, inspect_source
from tests.components.example_gen.helpers import data_config, records, rows, run, write_csv

ROWS = 200
BY_TIME = {"by": "time", "column": "day", "eval_from": 50}
BY_KEY = {"by": "hash", "eval_fraction": 0.5, "key": ["day"]}
BY_ROW = {"by": "hash", "eval_fraction": 0.5}


def ids(examples: Any, split: str) -> set[int]:
    found = [tf.train.Example.FromString(record) for record in records(examples, split)]
    return {example.features.feature["id"].int64_list.value[0] for example in found}


def write(folder: Path, form: str) -> Path:
    """Columns id and day; mail is personal; size is a number in most rows and declared one."""
    columns = {
        "id": list(range(ROWS)),
        "day": [i % 97 for i in range(ROWS)],
        "mail": [f"p{i}@example.com" for i in range(ROWS)],
        "size": ["many" if i == 150 else str(i) for i in range(ROWS)],
    }
    if form == "csv":
        return write_csv(folder / "t.csv", list(columns), [list(row) for row in zip(*columns.values(), strict=True)])
    folder.mkdir(exist_ok=True)
    odd = {
        "place": [{"lat": 0.5 * i} for i in range(ROWS)],
        "big": pa.array([2**63 + i for i in range(ROWS)], pa.uint64()),
        "gaps": [[1, None]] * ROWS,
        "nested": [[[i]] for i in range(ROWS)],
    }
    pq.write_table(pa.table({**columns, **odd}), folder / "t.parquet")
    return folder / "t.parquet"


@pytest.mark.parametrize("split", [BY_TIME, BY_KEY, BY_ROW])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_other_columns_are_not_ingested_whatever_they_hold(form: str, split: dict[str, Any], tmp_path: Path) -> None:
    data = data_config(write(tmp_path / "in", form), form, split)
    examples = run(data, tmp_path / "out", columns=["id", "day"], column_types={"size": "int"})
    assert {tuple(sorted(row)) for row in rows(examples)} == {("day", "id")}
    assert len(ids(examples, "train") | ids(examples, "eval")) == ROWS
    assert json.loads(examples.get_string_custom_property(COLUMNS_PROPERTY)) == ["day", "id"]
    content = b"".join(record for name in ("train", "eval") for record in records(examples, name))
    assert b"@example.com" not in content


def test_a_feature_that_is_added_moves_no_row_to_the_other_split(tmp_path: Path) -> None:
    data = data_config(write(tmp_path / "in", "csv"), "csv", BY_ROW)
    some, more, every = (
        run(data, tmp_path / str(n), columns=columns) for n, columns in enumerate((["id"], ["id", "mail"], None))
    )
    assert ids(some, "eval") == ids(more, "eval") == ids(every, "eval")
    assert not every.has_custom_property(COLUMNS_PROPERTY)


def test_records_lose_other_columns_too(tmp_path: Path) -> None:
    def example(number: int) -> bytes:
        values = {
            "id": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
            "day": tf.train.Feature(float_list=tf.train.FloatList(value=[number, 0.5])),
            "tags": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a", b"b"][: number % 3])),
            "mail": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"p@example.com"])),
        }
        return tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString()

    path = tmp_path / "t.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(ROWS):
            writer.write(example(number))
    examples = run(data_config(path, "tfrecord"), tmp_path / "out", columns=["id", "day", "tags"])
    every = run(data_config(path, "tfrecord"), tmp_path / "every")
    assert ids(examples, "eval") == ids(every, "eval")
    expected = [{name: value for name, value in row.items() if name != "mail"} for row in rows(every)]
    assert sorted(rows(examples), key=str) == sorted(expected, key=str)


def test_records_may_disagree_on_a_column_that_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "t.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(ROWS):
            example = tf.train.Example()
            example.features.feature["id"].int64_list.value.append(number)
            odd = example.features.feature["odd"]
            odd.bytes_list.value.append(b"many") if number == 150 else odd.float_list.value.append(0.5)
            writer.write(example.SerializeToString())
    found = rows(run(data_config(path, "tfrecord"), tmp_path / "out", columns=["id"]))
    assert sorted(row["id"][1][0] for row in found) == list(range(ROWS))
    assert {tuple(row) for row in found} == {("id",)}
    with pytest.raises(DataError, match=r"records 0 to 199 cannot be decoded"):
        run(data_config(path, "tfrecord"), tmp_path / "all", columns=["id", "odd"])


def test_a_column_of_no_use_is_refused_where_it_is_used(tmp_path: Path) -> None:
    data = data_config(write(tmp_path / "in", "parquet"), "parquet", BY_KEY)
    source = inspect_source(data)
    assert list(source.columns) == ["id", "day", "mail", "size", "big", "gaps"]
    check_columns(source, data, {"id": "features.id"})
    with pytest.raises(DataError, match=r"features\.where: .*t\.parquet: column 'place' is of type struct<.*flatten"):
        check_columns(source, data, {"place": "features.where"})
    with pytest.raises(DataError, match="there is no|have no column 'plaice'"):
        check_columns(source, data, {"plaice": "features.where"})


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_values_of_sensitive_columns_are_in_no_message(form: str, tmp_path: Path) -> None:
    data = data_config(write(tmp_path / "in", form), form, BY_KEY)
    for sensitive, words in ((["size"], "holds a value, which is not a whole number"), ([], "holds 'many', which")):
        with pytest.raises(DataError, match=words) as error:
            run(
                data,
                tmp_path / str(len(sensitive)),
                columns=["id", "size", "day"],
                column_types={"size": "int"},
                sensitive=sensitive,
            )
        assert ("many" in str(error.value)) == (not sensitive)


def test_a_row_with_a_sensitive_column_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,day,mail\n1,2,a@b.c\n1,2,d@e.f,3\n")
    for sensitive in (["mail"], []):
        with pytest.raises(DataError, match="line 3: 4 cells, but the header names 3 columns") as error:
            run(data_config(path), tmp_path / "out", columns=["id", "mail"], sensitive=sensitive)
        assert ("d@e.f" in str(error.value)) == (not sensitive)
