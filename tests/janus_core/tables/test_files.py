"""Names with brackets, folders of partitions, and folders of another format."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janus_core.errors import DataError
from janus_core.tables import parquet_reader
from janus_core.tables.config import DataConfig
from janus_core.tables.files import find_files, partitions_of
from janus_core.tables.inspect import inspect_source
from pipeline.commands.init.sample import read_sample, table_format
from pipeline.commands.init.whole_table import read_whole_columns
from tests.components.example_gen.helpers import data_config, rows, run, write_csv
from tests.janus_core.tables.test_spans import by_span, component, run_component, sources, write_span


def test_a_file_with_brackets_in_its_name_is_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "shop [a-c]"
    path = write_csv(folder / "sales [2024] (1).csv", ["x"], [[i] for i in range(20)])
    write_csv(folder / "sales 2 (1).csv", ["x"], [[-1]])
    assert find_files(data_config(path)) == [str(path)]
    assert len(rows(run(data_config(path), tmp_path / "out"))) == 20
    assert find_files(data_config(f"{folder}/sales [0-9] (1).csv")) == [str(folder / "sales 2 (1).csv")]
    assert len(rows(run(data_config(folder), tmp_path / "out2"))) == 21
    with pytest.raises(DataError, match=r"there is no file '.*sales \[3\] \(1\)\.csv'; did you mean '.*sales"):
        find_files(data_config(folder / "sales [3] (1).csv"))


def test_brackets_beside_spans_are_plain(tmp_path: Path) -> None:
    folder = tmp_path / "shop [a]"
    for span in (1, 2, 3):
        write_span(folder, span)
        (folder / "in" / str(span) / "v1" / "a.csv").rename(folder / "in" / str(span) / "v1" / "a [x].csv")
    data = by_span(folder, pattern="{SPAN}/v{VERSION}/a [x].csv")
    examples = run_component(component(data), tmp_path / "out")
    assert sources(examples, "eval") == {(3, 1)}
    assert sources(examples, "train") == {(2, 1), (1, 1)}


def test_partitions_of_hive_are_columns_of_csv(tmp_path: Path) -> None:
    for year, name, value in ((2023, "a b", 1), (2024, "c", 2), (2024, "__HIVE_DEFAULT_PARTITION__", 3)):
        folder = tmp_path / "in" / f"year={year}" / f"shop={name.replace(' ', '%20')}"
        write_csv(folder / "part-0.csv", ["x"], [[value]] * 10)
    required = {"year": "features.year", "x": "features.x"}
    found = rows(run(data_config(tmp_path / "in"), tmp_path / "out", required_columns=required))
    assert len(found) == 30
    seen = {(row["x"][1][0], row["year"][1][0], row.get("shop", ("", (None,)))[1][0]) for row in found}
    assert seen == {(1, 2023, b"a b"), (2, 2024, b"c"), (3, 2024, None)}
    sample = read_sample(DataConfig(path=str(tmp_path / "in")))
    assert sample.columns["year"].to_pylist() == [2023] * 10 + [2024] * 20
    assert read_whole_columns(sample, ["year"])["year"].values == {"2023": 10, "2024": 20}
    one = DataConfig(path=str(tmp_path / "in/year=2024/shop=c/part-0.csv"))
    assert list(inspect_source(one).columns) == ["x", "year", "shop"]


def test_partitions_of_hive_are_columns_of_parquet(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2, 3, 4], "year": [2023, 2023, 2024, 2024], "shop": ["a", None, "b", "b"]})
    pq.write_to_dataset(table, str(tmp_path / "in"), partition_cols=["year", "shop"])
    data = data_config(tmp_path / "in", "parquet")
    assert inspect_source(data).columns == {"x": "int", "year": "int", "shop": "bytes"}
    found = rows(run(data, tmp_path / "out", required_columns={"year": "config"}))
    values = {row["x"][1][0]: (row["year"][1][0], row.get("shop", ("", (None,)))[1][0]) for row in found}
    assert values == {1: (2023, b"a"), 2: (2023, None), 3: (2024, b"b"), 4: (2024, b"b")}
    assert table_format(str(tmp_path / "in")) == "parquet"
    sample = read_sample(data)
    assert sorted(sample.columns["year"].to_pylist()) == [2023, 2023, 2024, 2024]
    first = find_files(data)[0]
    (batch,) = parquet_reader.read_batches(first, 0, 1, {"year": "int"})
    assert batch.columns["year"].to_pylist() == [2023]


def test_a_column_of_the_file_is_before_a_folder_of_its_name(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "id=7" / "t.csv", ["id"], [[i] for i in range(20)])
    assert {row["id"][1][0] for row in rows(run(data_config(path), tmp_path / "out"))} == set(range(20))


def test_partitions_are_what_folders_say() -> None:
    assert partitions_of("gs://b/year=2024/a%3Db=c%2Fd/x=1.csv") == {"year": "2024", "a=b": "c/d"}
    assert partitions_of("t.csv") == {}


def test_a_folder_of_another_format_says_so(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "in" / "t.parquet")
    with pytest.raises(DataError, match=r"holds no CSV files .*, but Parquet files .*; data\.format: parquet"):
        find_files(data_config(tmp_path / "in"))
    (tmp_path / "tabs").mkdir()
    (tmp_path / "tabs" / "t.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(DataError, match=r"it holds t\.tsv; a pattern takes files of any name: '.*/tabs/\*\.tsv'"):
        find_files(data_config(tmp_path / "tabs"))
    tabs = DataConfig(path=f"{tmp_path}/tabs/*.tsv", delimiter="tab")
    assert list(inspect_source(tabs).columns) == ["a", "b"]
    write_csv(tmp_path / "csv" / "t.csv", ["x"], [[1]])
    with pytest.raises(DataError, match=r"holds no Parquet files .*, but CSV files .*; data\.format: csv"):
        find_files(data_config(tmp_path / "csv", "parquet"))
    with pytest.raises(DataError, match=r"t\.csv: not a readable Parquet file.*; if it is CSV: data\.format: csv"):
        inspect_source(data_config(tmp_path / "csv" / "t.csv", "parquet"))
