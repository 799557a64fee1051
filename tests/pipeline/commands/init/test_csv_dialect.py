"""What init finds of how a CSV table is written, and that it reads the table's values by it."""

from pathlib import Path
from typing import Any

import pytest

from janus_core.tables.config import DataConfig
from pipeline.commands.init import csv_dialect
from pipeline.commands.init.csv_dialect import guess_dialect
from pipeline.commands.init.job import run_init_job
from pipeline.commands.init.options import InitOptions
from pipeline.commands.init.sample import read_sample
from tests.janus_core.tables.test_csv_dialect import CASES
from tests.pipeline.commands.init.tables import sample_of, shop, write_csv


# One backslash without a quote after it proves nothing.
@pytest.mark.parametrize("case", [case for case, (_, keys) in CASES.items() if "escape_char" not in keys])
def test_other_programs_tables_are_read_without_keys(case: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(CASES[case][0])
    sample = read_sample(DataConfig(path=str(tmp_path / "t.csv")))
    assert sample.columns["id"].to_pylist() == [1, 2]
    assert sample.columns["name"].to_pylist() == ["Müller".encode(), b"Ana"]
    assert sample.columns["note"].to_pylist() == [b"x", None]
    assert set(sample.reasons) == set(CASES[case][1])


FOUND: dict[str, tuple[str, dict[str, Any]]] = {
    "decimal commas": ("a;b\n1,5;2,5\n3,5;4,5\n", {"delimiter": ";"}),
    "semicolons in text": ('a,b\n1,"x;y;z"\n2,"u;v;w"\n', {}),
    "one column": ("text\nhello\nworld\n", {}),
    "titles of a spreadsheet": ("Sales,,\n,,\na,b,c\n1,2,3\n4,5,6\n", {"skip_rows": 2}),
    "comments": ("# made by x, y and z\n# on Monday\na;b\n1;2\n3;4\n", {"delimiter": ";", "skip_rows": 2}),
    "title before names that come again": ("Sales\na,a,2020\n1,2,3\n4,5,6\n", {"skip_rows": 1}),
    "title with a quote": ('The "best\n\na,b,c\n1,2,3\n4,5,6\n', {"skip_rows": 1}),
    "a name for every cell but the first": (",a,b\n0,1,2\n1,2,3\n", {}),
    "row names of R": ("a,b\nx,1,2\ny,3,4\n", {}),
    "years": ("2019,2020\n1,2\n3,4\n", {}),
    "blanks after commas": ("a, b, c\n1, 2, 3\n4, 5, 6\n", {"skip_initial_space": True}),
    "a blank in text": ("a,b\n1, x\n2,y\n", {}),
    "lines in a title cell": ('"a\nb",c\n1,2\n3,4\n', {}),
    "comma after an escaped quote": ('a,b\n1,"x \\", y"\n2,z\n', {"escape_char": "\\"}),
    "path of Windows": ('a,b\n1,"C:\\"\n2,"D:\\"\n', {}),
    "pipes within cells": ("a|b,c\n1|2,3\n", {}),
}


@pytest.mark.parametrize("case", FOUND)
def test_the_keys(case: str, tmp_path: Path) -> None:
    content, keys = FOUND[case]
    (tmp_path / "t.csv").write_text(content)
    found, reasons = guess_dialect([str(tmp_path / "t.csv")])
    assert found == keys
    assert set(reasons) == set(keys)


def test_another_encoding_is_guessed_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_dialect, "_READ", 1_001)
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"plain,1\n" * 5_000 + "Jürgen Müller,2\n".encode("cp1252"))
    found, reasons = guess_dialect([str(tmp_path / "t.csv")])
    assert found == {"encoding": "cp1252"}
    assert "these letters are wrong: 'Jürgen Müller,2'" in reasons["encoding"]
    assert sample_of(tmp_path / "t.csv").columns["a"].to_pylist()[-1] == "Jürgen Müller".encode()
    monkeypatch.setattr(csv_dialect, "MOST_BYTES", 10_000)
    assert guess_dialect([str(tmp_path / "t.csv")])[0] == {}


def test_the_configuration_says_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_csv(tmp_path / "shop.csv", shop())
    table = path.read_text().replace(",", "\t").replace("good", "Müller")
    path.write_bytes(("Orders of 2024\r" + table.replace("\n", "\r")).encode("utf-16"))
    assert run_init_job(InitOptions("shop.csv", "bought")) == 0
    text = (tmp_path / "configs/shop.yaml").read_text()
    assert "  encoding: utf-16  # by its first bytes\n" in text
    assert '  delimiter: "\\t"  # the cells are separated by tabs\n' in text
    assert "  skip_rows: 1  # the header comes after 'Orders of 2024'\n" in text
    assert "data.skip_rows 1: the header comes after 'Orders of 2024'" in capsys.readouterr().out
