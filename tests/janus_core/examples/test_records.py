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


@pytest.mark.parametrize(("rows", "sizes"), [(1024, [1024, 1024, 952]), (600, [512] * 5 + [440]), (100, [100] * 30)])
def test_a_batch_ends_by_rows(rows: int, sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "ROWS_PER_BATCH", rows)
    path = write_records(tmp_path / "x", RECORDS)
    assert [len(batch) for batch in record_batches(str(path))] == sizes


def test_a_batch_ends_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BYTES_PER_BATCH", 5 * 512)
    path = write_records(tmp_path / "x", RECORDS)
    assert [len(batch) for batch in record_batches(str(path))] == [512, 512, 512, 512, 512, 440]


def test_a_file_without_records_has_no_batches(tmp_path: Path) -> None:
    assert list(record_batches(str(write_records(tmp_path / "x", [])))) == []


def test_damage_is_reported_with_the_files_name(tmp_path: Path) -> None:
    path = write_records(tmp_path / "x", RECORDS)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[len(content) // 2] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataError, match=r"x: damaged after record \d+"):
        list(record_batches(str(path)))


@pytest.mark.parametrize(("compression", "cuts"), [("GZIP", [30, 5000]), ("", [1, 12, 16, 20, 5000])])
def test_a_truncated_file_is_an_error_wherever_it_is_cut(compression: str, cuts: list[int], tmp_path: Path) -> None:
    path = write_records(tmp_path / "x", RECORDS, compression)
    content = path.read_bytes()
    for cut in cuts:
        path.write_bytes(content[:-cut])
        with pytest.raises(DataError, match=r"x: damaged after record \d+"):
            list(record_batches(str(path)))


def test_members_of_gzip_may_follow_each_other(tmp_path: Path) -> None:
    one, other = (write_records(tmp_path / str(count), RECORDS[:count]) for count in (3000, 9))
    one.write_bytes(one.read_bytes() + other.read_bytes())
    assert [record for batch in record_batches(str(one)) for record in batch.numpy()] == RECORDS + RECORDS[:9]
