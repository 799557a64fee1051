"""Batches of records: order, bounds, damage."""

import gzip
from pathlib import Path

import pytest

from janus_core.errors import DataError
from janus_core.examples import records
from janus_core.examples.records import record_batches
from tests.components.examples import write_records

RECORDS = [b"%05d" % number for number in range(3000)]


@pytest.mark.parametrize("compression", ["GZIP", ""])
def test_all_records_come_in_order(compression: str, tmp_path: Path) -> None:
    path = write_records(tmp_path / "x", RECORDS, compression)
    assert [record for batch in record_batches(str(path)) for record in batch.numpy()] == RECORDS


def test_a_batch_ends_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "ROWS_PER_BATCH", 1024)
    path = write_records(tmp_path / "x", RECORDS)
    assert [len(batch) for batch in record_batches(str(path))] == [1024, 1024, 952]


def test_a_batch_ends_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BYTES_PER_BATCH", 5 * 512)
    path = write_records(tmp_path / "x", RECORDS)
    assert [len(batch) for batch in record_batches(str(path))] == [512, 512, 512, 512, 512, 440]


def test_a_file_without_records_has_no_batches(tmp_path: Path) -> None:
    assert list(record_batches(str(write_records(tmp_path / "x", [])))) == []


def test_damage_is_told_with_the_files_name(tmp_path: Path) -> None:
    path = write_records(tmp_path / "x", RECORDS)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[len(content) // 2] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataError, match=r"x: damaged after record \d+"):
        list(record_batches(str(path)))
