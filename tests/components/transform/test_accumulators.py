"""Files of accumulators: whole, or known not to be."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.transform.cache import UnreadableError, read_accumulators, read_entries, write_accumulators

ENTRIES = [b"__v1__sum\xff", b"empty", b"vocabulary"]
VALUES = [(0, b"\x00\x01"), (2, b"oslo"), (2, b""), (2, b"rome" * 500)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dataset"
    write_accumulators(str(path), ENTRIES, iter(VALUES))
    return path


def rewrite(path: Path, change: Callable[[list[bytes]], Sequence[bytes]]) -> None:
    records = list(tf.data.TFRecordDataset(str(path), compression_type="GZIP").as_numpy_iterator())
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for record in change(records):
            writer.write(record)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def test_what_is_read_is_what_was_written(file: Path) -> None:
    assert read_entries(str(file)) == ENTRIES
    assert list(read_accumulators(str(file))) == VALUES
    assert [path.name for path in file.parent.iterdir()] == ["dataset"]


def test_a_second_writing_replaces_the_first(file: Path) -> None:
    write_accumulators(str(file), ENTRIES[:1], [])
    assert read_entries(str(file)) == ENTRIES[:1]
    assert list(read_accumulators(str(file))) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no gzip at all, though of some length" * 9),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        flip,
        lambda path: rewrite(path, lambda records: records[:-1]),
        lambda path: rewrite(path, lambda records: records[:1]),
        lambda path: rewrite(path, lambda records: [*records[:2], *records[3:]]),
        lambda path: rewrite(path, lambda records: [b'{"format": 0}', *records[1:]]),
        lambda path: rewrite(path, lambda records: [b"[]", *records[1:]]),
        lambda path: path.unlink(),
    ],
    ids=["empty", "other", "truncated", "flipped", "end", "head only", "middle", "format", "head", "gone"],
)
def test_anything_else_is_unreadable(file: Path, damage: Callable[[Path], Any]) -> None:
    damage(file)
    with pytest.raises(UnreadableError) as caught:
        read_entries(str(file))
    assert "{{" not in str(caught.value)
