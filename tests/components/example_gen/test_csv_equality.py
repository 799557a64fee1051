"""The Arrow ExampleGen writes what CsvExampleGen writes, example by example, where float32 loses nothing of it."""

import gzip
import random
from pathlib import Path

import pytest
from tfx.components import CsvExampleGen

from tests.components.example_gen.helpers import contents, counts, data_config, run, run_component, write_csv

COLUMNS: dict[str, list[str]] = {
    "int": ["1", "-5", "", "0", "9007199254740991", "-9007199254740991", "123456789"],
    "odd_int": ["007", "+5", " 7", "8 ", "1_000", "", "-0"],
    "float": ["1.5", "-2e3", "", "nan", "inf", "-Infinity", ".5", "1.", "1e400", "16777217.0"],
    "odd_float": ["+1.5", " 2.5", "1_0.5", "3", ""],
    "mixed": ["1", "2.5", "", "300"],
    "hex": ["0x1F", "1", ""],
    "long": ["9223372036854775808", "1"],
    "long_and_float": ["9223372036854775808", "1.5"],
    "digits_of_other_scripts": ["١٢", "3"],
    "text": ["a", "", "ümläut", "日本", "a,b", 'say "hi"', "two\nlines", " padded ", '5" pipe', "x\x00y"],
    "words": ["NA", "null", "None", "True", "false", "", "N/A"],
    "time": ["2013-01-01", "2013-01-01T05:00:00Z", ""],
    "empty": [""],
    "empty_but_one": ["", "", "", "1"],
    "nan_text": ["nan(1)", "1.0"],
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(1)
    folder = tmp_path_factory.mktemp("table")
    names = list(COLUMNS)
    rows = [[rng.choice(COLUMNS[name]) for name in names] for _ in range(300)]
    write_csv(folder / "a.csv", names, rows[:200])
    write_csv(folder / "b.csv", names, rows[200:])
    with (folder / "b.csv").open("a") as file:
        file.write("\n\n" + ",".join(["1"] * len(names)))
    return folder


def test_same_content_as_csv_example_gen(table: Path, tmp_path: Path) -> None:
    reference = run_component(CsvExampleGen(input_base=str(table)), tmp_path / "stock")
    examples = run(data_config(table), tmp_path / "arrow")
    assert contents(examples) == contents(reference)
    assert sum(counts(examples).values()) == 301


def test_crlf_bom_and_gzip_read_alike(table: Path, tmp_path: Path) -> None:
    plain = run(data_config(table / "a.csv"), tmp_path / "plain")
    text = (table / "a.csv").read_bytes()
    rows = [[i or "", text] for i, text in enumerate(["x", "y,z", 'a"b', "", " "] * 5)]
    unix = write_csv(tmp_path / "unix.csv", ["n", "s"], rows)
    dos = tmp_path / "dos.csv"
    dos.write_bytes(b"\xef\xbb\xbf" + unix.read_bytes().replace(b"\n", b"\r\n"))
    assert contents(run(data_config(dos), tmp_path / "d")) == contents(run(data_config(unix), tmp_path / "u"))
    members = gzip.compress(text[:5000]) + gzip.compress(text[5000:])
    for name, content in {"a.csv.gz": gzip.compress(text), "members.csv.gz": members, "text.csv.gz": text}.items():
        (tmp_path / name).write_bytes(content)
        assert contents(run(data_config(tmp_path / name), tmp_path / f"out-{name}")) == contents(plain), name
