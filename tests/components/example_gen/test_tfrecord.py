"""TFRecords of tf.Examples pass through unchanged, divided and checked like the other formats."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from janus_core.errors import DataError
from janus_core.tables.inspect import inspect_source
from tests.components.example_gen.helpers import counts, data_config, records, rows, run, write_csv


def example(**values: Any) -> bytes:
    features = {}
    for name, value in values.items():
        if isinstance(value, int):
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        elif isinstance(value, bytes):
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        else:
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write(path: Path, content: list[bytes], compression: str = "GZIP") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=compression)) as writer:
        for record in content:
            writer.write(record)
    return path


EXAMPLES = [example(id=i, s=b"ab"[i % 2 : i % 2 + 1], v=[0.5 * i, 1.0]) for i in range(50)]


@pytest.mark.parametrize("compression", ["GZIP", ""])
def test_records_pass_through(compression: str, tmp_path: Path) -> None:
    write(tmp_path / "in" / "data_tfrecord-00000-of-00002.gz", EXAMPLES[:20], compression)
    write(tmp_path / "in" / "data_tfrecord-00001-of-00002.gz", EXAMPLES[20:], compression)
    examples = run(data_config(tmp_path / "in", "tfrecord"), tmp_path / "out", domains={"s": ["a", "b"]})
    assert Counter(records(examples, "train") + records(examples, "eval")) == Counter(EXAMPLES)
    assert sum(counts(examples).values()) == 50


def test_split_agrees_with_csv(tmp_path: Path) -> None:
    split = {"by": "hash", "eval_fraction": 0.3, "key": ["id"]}
    write(tmp_path / "t.tfrecord", EXAMPLES)
    write_csv(tmp_path / "t.csv", ["id"], [[i] for i in range(50)])
    one = run(data_config(tmp_path / "t.tfrecord", "tfrecord", split), tmp_path / "one")
    other = run(data_config(tmp_path / "t.csv", split=split), tmp_path / "other")
    assert [row["id"] for row in rows(one, "eval")] == [row["id"] for row in rows(other, "eval")]


def test_time_split(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tfrecord", EXAMPLES)
    split = {"by": "time", "column": "id", "eval_from": 40}
    assert counts(run(data_config(path, "tfrecord", split), tmp_path / "out")) == {"train": 40, "eval": 10}


def test_inspect_reads_the_first_example(tmp_path: Path) -> None:
    for compression in ("GZIP", ""):
        path = write(tmp_path / f"t{compression}.tfrecord", EXAMPLES, compression)
        source = inspect_source(data_config(path, "tfrecord"))
        assert source.columns == {"id": "int", "s": "bytes", "v": "float"}
        assert not source.complete


def bad(tmp_path: Path) -> dict[str, tuple[bytes, str]]:
    good = write(tmp_path / "good", EXAMPLES, "").read_bytes()
    return {
        "empty": (b"", "there are no records"),
        "truncated": (good[:-30], r"t\.tfrecord: damaged after \d+ records"),
        "truncated gzip": (gzip.compress(good)[:-40], r"t\.tfrecord: damaged after \d+ records"),
        "flipped byte": (good[:-40] + b"\xff" + good[-39:], r"t\.tfrecord: damaged after \d+ records"),
        "text": (b"hello, this is no record file", "not a TFRecord file"),
        "csv": (b"a,b\n1,2\n3,4\n", "not a TFRecord file"),
    }


@pytest.mark.parametrize("case", ["empty", "truncated", "truncated gzip", "flipped byte", "text", "csv"])
def test_damaged_files(case: str, tmp_path: Path) -> None:
    content, message = bad(tmp_path)[case]
    path = tmp_path / "t.tfrecord"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        run(data_config(path, "tfrecord"), tmp_path / "out")


def test_records_that_are_no_examples(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tfrecord", [*EXAMPLES, b"\x07\x07\x07"])
    with pytest.raises(DataError, match=r"t\.tfrecord: records 0 to 50 cannot be decoded as tf\.Examples"):
        run(data_config(path, "tfrecord"), tmp_path / "out")


def test_flaws_are_located(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tfrecord", [*EXAMPLES, example(id=50, s=b"x"), example(s=b"a")])
    with pytest.raises(DataError, match=r"t\.tfrecord, record 50: column 's' holds 'x' in 1 row"):
        run(data_config(path, "tfrecord"), tmp_path / "out", domains={"s": ["a", "b"]})
    split = {"by": "time", "column": "id", "eval_from": 40}
    with pytest.raises(DataError, match=r"t\.tfrecord, record 51: column 'id', by which .* no value in 1 row"):
        run(data_config(path, "tfrecord", split), tmp_path / "out")


def test_required_columns_that_no_record_has(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tfrecord", EXAMPLES)
    with pytest.raises(DataError, match="features.w: the data have no column 'w'"):
        run(data_config(path, "tfrecord"), tmp_path / "out", required_columns={"w": "features.w"})


def test_kinds_that_differ_are_named(tmp_path: Path) -> None:
    mixed = [*EXAMPLES, *[example(id=b"x", s=b"a") for _ in range(5000)]]
    path = write(tmp_path / "t.tfrecord", mixed)
    with pytest.raises(DataError, match=r"t\.tfrecord.* (feature \"id\"|column 'id')"):
        run(data_config(path, "tfrecord"), tmp_path / "out")
