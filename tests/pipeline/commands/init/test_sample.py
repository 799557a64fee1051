"""Samples of tables: all of a small one, places all over a large one, and clear words for what is no table."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janus_core.errors import DataError
from janus_core.tables.config import DataConfig
from pipeline.commands.init import csv_dialect
from pipeline.commands.init import sample as sampling
from pipeline.commands.init.sample import read_sample, table_format
from pipeline.commands.init.whole_table import read_whole_columns
from tests.pipeline.commands.init.tables import sample_of, write_csv


def test_a_small_table_is_read_whole(tmp_path: Path) -> None:
    sample = sample_of(write_csv(tmp_path / "t.csv", {"a": [1, 2, None], "b": ["x", None, "z"]}))
    assert sample.complete
    assert sample.rows == sample.total_rows == 3
    assert sample.columns["a"].to_pylist() == [1, 2, None]
    assert sample.columns["b"].to_pylist() == [b"x", None, b"z"]
    assert sample.how == "all 3 rows"


def test_words_for_missing_among_numbers_are_missing(tmp_path: Path) -> None:
    columns = {
        "n": [1, "NA", 3, 4],
        "m": [0.5, 1.5, "?", "NA"],
        "late": ["0", "1", "NA", "1"],
        "text": ["NA", "b", "-", "d"],
        "grade": ["A", "?", "C", "D"],
    }
    sample = sample_of(write_csv(tmp_path / "t.csv", columns))
    assert sample.data.null_values == {"n": ["NA"], "m": ["?", "NA"], "late": ["NA"]}
    assert sample.columns["n"].to_pylist() == [1, None, 3, 4]
    assert sample.columns["m"].to_pylist() == [0.5, 1.5, None, None]
    assert sample.columns["late"].to_pylist() == [0, 1, None, 1]
    # A word that means missing in one column may be a class of another.
    assert sample.columns["text"].to_pylist() == [b"NA", b"b", b"-", b"d"]
    assert sample.columns["grade"].to_pylist() == [b"A", b"?", b"C", b"D"]
    assert read_whole_columns(sample, ["n"])["n"].missing == 1


def test_words_without_numbers_are_text(tmp_path: Path) -> None:
    sample = sample_of(write_csv(tmp_path / "t.csv", {"a": ["NA", "?", "x"], "b": ["none", "1", "none"]}))
    assert sample.data.null_values == []
    assert sample.columns["b"].to_pylist() == [b"none", b"1", b"none"]


@pytest.mark.parametrize(
    ("tail", "footer"),
    [
        ("Total,,1225\n", 1),
        (",,\n", 1),
        ("\nGrand total,,1225\n,,\n", 2),
        ("Source: the office\n", 1),
        ("made in May,,\n", 1),
        ("north,50,\n", 0),
        ('"Total",,"1,225"\n', 1),
    ],
)
def test_rows_at_the_end_that_are_none_of_the_table(tmp_path: Path, tail: str, footer: int) -> None:
    (tmp_path / "t.csv").write_text("shop,n,m\n" + "".join(f"north,{row},{row}\n" for row in range(50)) + tail)
    sample = sample_of(tmp_path / "t.csv")
    assert (sample.data.skip_footer, sample.rows) == (footer, 50 + (footer == 0))
    assert bool(footer) == ("skip_footer" in sample.reasons)
    if footer:
        assert sample.columns["n"].to_pylist() == list(range(50))


def test_files_with_a_total_each(tmp_path: Path) -> None:
    rows = "".join(f"{row},{row % 7}\n" for row in range(40))
    for name in ("a", "b"):
        with gzip.open(tmp_path / f"{name}.csv.gz", "wt") as stream:
            stream.write(f"n,m\n{rows}Total,120\n")
    sample = sample_of(tmp_path)
    assert (sample.data.skip_footer, sample.rows) == (1, 80)
    assert sample.reasons["skip_footer"] == "the last row does not belong to the table: 'Total,120'"
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(f"n,m\n{rows}".encode()))
    assert sample_of(tmp_path).data.skip_footer == 0


def test_as_many_rows_as_the_limit_are_all_rows(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", {"a": range(50), "b": range(50)})
    assert sample_of(path, rows=50).complete
    assert not sample_of(path, rows=49).complete


def test_a_large_table_is_read_at_places_all_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MIN_ROWS", 100)
    path = write_csv(tmp_path / "t.csv", {"row": range(200_000), "text": [f"v{row}" for row in range(200_000)]})
    sample = sample_of(path, rows=2_000)
    rows = sample.columns["row"].to_numpy()
    assert not sample.complete
    assert 1_500 < sample.rows < 3_000
    assert rows[0] == 0
    assert rows[-1] > 190_000
    assert len(np.unique(rows // 10_000)) == 20
    assert abs(sample.total_rows - 200_000) < 20_000
    # Whole rows only: both cells are of one row.
    assert [f"v{row}" for row in rows.tolist()] == [text.decode() for text in sample.columns["text"].to_pylist()]
    assert "64 places" in sample.how


def test_rows_with_line_breaks_are_read_from_the_beginning(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", {"row": range(300_000), "text": ["two\nlines"] * 300_000})
    sample = sample_of(path, rows=1_000)
    assert sample.columns["row"].to_pylist() == list(range(1_000))
    assert sample.how.startswith("the first 1,000 rows of about ")


def test_a_compressed_table_is_read_from_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 5_000))
    sample = sample_of(path, rows=1_000)
    assert (sample.rows, sample.complete, sample.how) == (1_000, False, "the first 1,000 rows")


def test_a_wide_table_is_sampled_in_fewer_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MAX_CELLS", 1_000)
    monkeypatch.setattr(sampling, "MIN_ROWS", 10)
    path = write_csv(tmp_path / "t.csv", {f"c{place}": range(200) for place in range(20)})
    assert sample_of(path).rows == 50


def test_the_whole_table_is_streamed_for_what_a_sample_misses(tmp_path: Path) -> None:
    labels = ["a"] * 4_999 + ["rare"]
    path = write_csv(tmp_path / "t.csv", {"label": labels, "number": [1] * 4_998 + [2, None]})
    sample = sample_of(path, rows=1_000)
    sample = sampling.Sample(**{**vars(sample), "complete": False})
    whole = read_whole_columns(sample, ["label", "number"])
    assert whole["label"].values == {"a": 4_999, "rare": 1}
    assert whole["number"].values == {"1": 4_998, "2": 1}
    assert whole["number"].missing == 1


def test_of_large_values_fewer_rows_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).bytes(3000 * 400)
    photos = [values[place : place + 400] for place in range(0, len(values), 400)]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"photo": photos}), path, row_group_size=500)
    data = DataConfig(path=str(path), format="parquet")
    assert read_sample(data).complete
    monkeypatch.setattr(sampling, "MAX_BYTES", 800_000)
    found = read_sample(data)
    assert 1900 < found.rows <= 2010
    assert found.total_rows == 3000


def test_parquet_is_read_from_the_beginnings_of_its_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"row": range(10_000), "flag": [True, None] * 5_000}), path, row_group_size=1_000)
    sample = read_sample(DataConfig(path=str(path), format="parquet"), 2_000)
    assert sample.columns["row"].to_pylist()[:201:200] == [0, 1_000]
    assert (sample.rows, sample.total_rows, sample.complete) == (2_000, 10_000, False)
    assert sample.columns["flag"].to_pylist()[:2] == [1, None]
    assert read_whole_columns(sample, ["flag"])["flag"].missing == 5_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"a,b\n", "nothing but a header"),
        (b"a,b\n1,2\n3\n", "line 3: 1 cells"),
    ],
)
def test_what_is_no_table_is_reported(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        sample_of(path)


def test_another_encoding_within_a_large_file_is_reported_with_its_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    monkeypatch.setattr(csv_dialect, "MOST_BYTES", 1 << 20)
    path.write_bytes(b"a,b\n" + b"plain,1\n" * 800_000 + "é,2\n".encode("latin-1") * 400_000)
    with pytest.raises(DataError, match=r"after byte [\d,]+: not UTF-8"):
        sample_of(path, rows=10_000)


def test_a_missing_file_is_reported_with_the_nearest(tmp_path: Path) -> None:
    write_csv(tmp_path / "orders.csv", {"a": [1]})
    with pytest.raises(DataError, match=r"did you mean '.*orders\.csv'"):
        sample_of(tmp_path / "order.csv")


def test_the_format_is_known_by_the_first_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "no-suffix")
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "t.csv.bz2").write_bytes(b"BZh9")
    assert table_format(str(tmp_path / "no-suffix")) == "parquet"
    assert table_format(str(tmp_path)) == "csv"
    with pytest.raises(DataError, match="spreadsheet"):
        table_format(str(tmp_path / "book.xlsx"))
    with pytest.raises(DataError, match="unpack it"):
        table_format(str(tmp_path / "t.csv.bz2"))


def test_whole_numbers_are_whole_however_they_are_written(tmp_path: Path) -> None:
    ids = [2**60 + place for place in range(20)]
    doubles = [None, *(float(10**8 + place) for place in range(19))]
    table = pa.table({"id": pa.array(ids), "wide": pa.array([2**64 - 1] * 20, pa.uint64()), "shop": doubles})
    pq.write_table(table, tmp_path / "t.parquet")
    csv = write_csv(tmp_path / "t.csv", {name: table[name].to_pylist() for name in table.column_names})
    for sample in (sample_of(csv), read_sample(DataConfig(path=str(tmp_path / "t.parquet"), format="parquet"))):
        assert sample.columns["id"].to_pylist() == [str(value).encode() for value in ids]
        assert sample.columns["wide"].to_pylist() == [b"18446744073709551615"] * 20
        assert sample.columns["shop"].to_pylist() == [None, *range(10**8, 10**8 + 19)]
        assert pa.types.is_integer(sample.columns["shop"].type)


def test_rows_that_were_not_sampled_may_have_fractions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MIN_ROWS", 20)
    columns = {"size": [float(i % 9) for i in range(100)], "id": [1e8 + i for i in range(100)], "n": range(100)}
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), tmp_path / "t.parquet")
    csv = sample_of(write_csv(tmp_path / "t.csv", columns), rows=30)
    parquet = read_sample(DataConfig(path=str(tmp_path / "t.parquet"), format="parquet"), 30)
    for sample in (csv, parquet):
        assert not sample.complete
        assert {name: str(column.type) for name, column in sample.columns.items()} == {
            "size": "double",
            "id": "int64",
            "n": "int64",
        }
