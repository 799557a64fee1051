"""Every flaw of a CSV source ends in a DataError that says where it is, and nothing is published."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from janus_core.errors import DataError
from janus_core.tables import csv_blocks
from tests.components.example_gen.helpers import counts, data_config, rows, run, write_csv

GOOD = b"a,b,label\n1,x,yes\n2,y,no\n3,z,yes\n4,w,no\n5,v,yes\n6,u,no\n7,t,yes\n8,s,no\n"


def text(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "t.csv").write_bytes(content)  # type: ignore[return-value]


def two(first: bytes, second: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "a.csv").write_bytes(first)
        (folder / "b.csv").write_bytes(second)

    return write


def truncated_gzip(folder: Path) -> None:
    content = GOOD + b"".join(b"%d,x,no\n" % (i * i) for i in range(5000))
    (folder / "t.csv.gz").write_bytes(gzip.compress(content)[:-2000])


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty file": (text(b""), r"t\.csv is empty"),
    "blank file": (text(b"\n\n"), r"t\.csv is empty"),
    "header only": (text(b"a,b,label\n"), r"t\.csv: nothing but a header"),
    "blank rows only": (text(b"a,b,label\n\n\r\n"), r"t\.csv: nothing but a header"),
    "short row": (text(GOOD + b"9,x\n"), r"t\.csv, line 10: 2 cells, but the header names 3 columns: 9,x"),
    "long row": (text(GOOD + b'"q\nr",b,c\n\n9,x,yes,more\n'), r"t\.csv, line 13: 4 cells"),
    "text in a declared int": (text(GOOD + b"abc,x,yes\n"), r"t\.csv, line 10: column 'a' holds 'abc'.*whole number"),
    "not UTF-8": (text(GOOD + b"9,\xe4,yes\n"), r"t\.csv, line 10: not UTF-8 \(byte 0xe4\)"),
    "header not UTF-8": (text(b"a,\xe4,label\n1,2,yes\n"), r"t\.csv, line 1: the header is not UTF-8"),
    "repeated column": (
        text(b"a,b,label,b\n1,2,yes,4\n"),
        r"features\.bb: the data have no column 'b'; the header names it more than once, .* 'b\.1', 'b\.2'",
    ),
    "column without a name": (text(b"a,,label\n1,2,yes\n"), r"features\.bb: .*columns of .*: a, unnamed_2, label"),
    "unclosed quote": (text(GOOD + b'9,"x,yes\n10,y,no\n'), r"t\.csv, line 10: a quoted cell that is never closed"),
    "value outside the classes": (
        text(GOOD + b"9,x,yse\n10,x,yse\n"),
        r"t\.csv, line 10: column 'label' holds 'yse' in 2 rows.*classes yes, no; did you mean 'yes'",
    ),
    "missing column": (text(b"a,c,label\n1,2,yes\n"), r"features\.bb: the data have no column 'b'"),
    "column without any value": (
        text(b"a,b,label\n1,,yes\n2,,no\n3,,no\n"),
        r"features\.bb: column 'b' has no value in any",
    ),
    "files with other columns": (two(GOOD, b"a,label,c\n1,yes,3\n"), r"b\.csv lacks column 'b' of .*a\.csv; .*'c'"),
    "truncated gzip": (truncated_gzip, r"t\.csv\.gz: cannot be read to its end, it is truncated or damaged"),
    "damaged gzip": (text(gzip.compress(GOOD)[:20] + b"damaged"), r"t\.csv: cannot be read to its end"),
    "one row": (text(b"a,b,label\n1,x,yes\n"), r"no row of .*t\.csv falls into the (train|eval) split"),
    "no file of the format": (lambda folder: (folder / "t.txt").touch(), r"holds no CSV files.*it holds t\.txt"),  # type: ignore[dict-item,return-value]
    "empty folder": (lambda folder: None, r"holds no CSV files.*; it is empty"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_source(case: str, tmp_path: Path) -> None:
    write, message = CASES[case]
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder)
    with pytest.raises(DataError, match=message) as error:
        run(
            data_config(folder),
            tmp_path / "out",
            column_types={"a": "int"},
            domains={"label": ["yes", "no"]},
            required_columns={"b": "features.bb"},
        )
    assert error.value.exit_code == 3
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_path_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "flights.csv").write_bytes(GOOD)
    for wrong in ("flihgts.csv", "flihgts.csv/x.csv", "flights_.csv"):
        with pytest.raises(DataError, match="did you mean .*flights.csv"):
            run(data_config(tmp_path / wrong), tmp_path / "out")


def test_every_problem_is_listed_with_its_count(tmp_path: Path) -> None:
    lines = [f"{i},{'maybe' if i % 10 == 3 else 'perhaps' if i == 7 else 'yes'}" for i in range(100)]
    (tmp_path / "t.csv").write_text("a,label\n" + "\n".join(lines))
    with pytest.raises(DataError) as error:
        run(data_config(tmp_path / "t.csv"), tmp_path / "out", domains={"label": ["yes", "no"]})
    assert len(error.value.problems) == 2
    assert "line 5: column 'label' holds 'maybe' in 10 rows" in error.value.problems[0]
    assert "line 9: column 'label' holds 'perhaps' in 1 row " in error.value.problems[1]


@pytest.mark.parametrize(
    ("cells", "classes"),
    [(["0", "1", "", "1"], ["0", "1"]), (["0.0", "1", "", "1.0"], ["0", "1"]), (["1.5", "2"], ["1.5", "2"])],
)
def test_classes_of_number_columns(cells: list[str], classes: list[str], tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["a", "label"], [[i, cell] for i, cell in enumerate(cells * 5)])
    run(data_config(tmp_path / "t.csv"), tmp_path / "out", domains={"label": classes})
    with pytest.raises(DataError, match="column 'label' holds"):
        run(data_config(tmp_path / "t.csv"), tmp_path / "out2", domains={"label": classes[:1]})


def test_numbers_taken_for_classes_are_an_error_soon(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["label"], [[i / 7] for i in range(20000)])
    with pytest.raises(DataError, match="line 2: column 'label' holds '0' in 1 row .*; and 9.. more") as error:
        run(data_config(tmp_path / "t.csv"), tmp_path / "out", domains={"label": ["yes", "no"]})
    assert len(str(error.value)) < 10000


def test_missing_time_is_counted(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["t", "x"], [[1, 1], ["", 2], [3, 3], ["", 4]])
    split = {"by": "time", "column": "t", "eval_from": 2}
    with pytest.raises(DataError, match=r"line 3: column 't', by which .* has no value in 2 rows"):
        run(data_config(tmp_path / "t.csv", split=split), tmp_path / "out")


@pytest.mark.parametrize(("eval_from", "empty"), [(0, "train"), (100, "eval")])
def test_empty_split_is_named(eval_from: int, empty: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["t", "x"], [[i, i] for i in range(1, 9)])
    split = {"by": "time", "column": "t", "eval_from": eval_from}
    with pytest.raises(DataError, match=f"falls into the {empty} split \\(eval is t from {eval_from} on\\)"):
        run(data_config(tmp_path / "t.csv", split=split), tmp_path / "out")


def test_harmless_oddities_work(tmp_path: Path) -> None:
    """Columns in another order, kinds that differ between files, a file without rows."""
    write_csv(tmp_path / "a.csv", ["x", "y", "z"], [[i, f"{i}", ""] for i in range(20)])
    write_csv(tmp_path / "b.csv", ["z", "y", "x"], [["", "text", i + 0.5] for i in range(20)])
    write_csv(tmp_path / "c.csv", ["x", "y", "z"], [])
    examples = run(data_config(tmp_path), tmp_path / "out")
    found = rows(examples)
    assert len(found) == 40
    assert {row["x"][0] for row in found} == {"float_list"}
    assert {row["y"][0] for row in found} == {"bytes_list"}
    assert not any("z" in row for row in found)


def test_integers_past_2_53_are_text_and_exact(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["i"], [[2**53 + i] for i in range(30)])
    values = {row["i"] for row in rows(run(data_config(tmp_path / "t.csv"), tmp_path / "out"))}
    assert values == {("bytes_list", (str(2**53 + i).encode(),)) for i in range(30)}


def test_whole_numbers_with_a_fraction_of_zero_are_exact(tmp_path: Path) -> None:
    # As pandas writes whole numbers with gaps.
    write_csv(tmp_path / "a.csv", ["i"], [[f"{100_000_000 + i}.0"] for i in range(40)] + [[""]])
    write_csv(tmp_path / "b.csv", ["i"], [[100_000_000 + i] for i in range(40)])
    values = {row["i"] for row in rows(run(data_config(tmp_path), tmp_path / "out")) if "i" in row}
    assert values == {("int64_list", (100_000_000 + i,)) for i in range(40)}


@pytest.mark.slow
def test_a_line_of_100_mb_works(tmp_path: Path) -> None:
    size = 100 << 20
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(b"a,b\n1,x\n2,")
        file.write(b"y" * size)
        file.write(b"\n" + b"".join(b"%d,z\n" % i for i in range(3, 20)))
    examples = run(data_config(tmp_path / "t.csv"), tmp_path / "out")
    assert sum(counts(examples).values()) == 19


def test_a_row_larger_than_the_limit_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_blocks, "MAX_ROW_BYTES", 10 << 20)
    (tmp_path / "t.csv").write_bytes(GOOD + b'9,"x,yes\n' + b"10,x,no\n" * (3 << 20))
    with pytest.raises(DataError, match="line 10: a row longer than 10 MiB"):
        run(data_config(tmp_path / "t.csv"), tmp_path / "out")
