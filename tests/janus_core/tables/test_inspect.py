"""The preflight finds files and columns without TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janus_core.errors import DataError
from janus_core.tables.config import DataConfig
from janus_core.tables.files import split_path, unseen_split_path
from janus_core.tables.inspect import check_columns, inspect_source

HASH = {"by": "hash"}


def config(path: Path | str, format: str = "csv", split: dict[str, object] | None = None) -> DataConfig:
    return DataConfig(path=str(path), format=format, split=split or HASH)


def test_needs_neither_tensorflow_nor_beam(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    code = (
        "import sys; from janus_core.tables.inspect import inspect_source; "
        "from janus_core.tables.config import DataConfig; "
        f"print(list(inspect_source(DataConfig(path={str(tmp_path)!r})).columns)); "
        "print([name for name in ('tensorflow', 'tfx', 'tfx_bsl', 'apache_beam') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["['a', 'b']", "[]"]


def test_columns_of_each_format(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbf"a, b","c\nd",e\n1,2,3\n')
    assert inspect_source(config(tmp_path)).columns == {"a, b": None, "c\nd": None, "e": None}
    pq.write_table(pa.table({"x": [1], "y": [[1.5]], "z": ["a"]}), tmp_path / "t.parquet")
    assert inspect_source(config(tmp_path, "parquet")).columns == {"x": "int", "y": "float", "z": "bytes"}


@pytest.mark.parametrize(
    ("path", "base", "pattern"),
    [
        ("d", "d", "*.csv*"),
        ("d/", "d", "*.csv*"),
        ("d/x.csv", "d", "x.csv"),
        ("x.csv", ".", "x.csv"),
        ("/x.csv", "/", "x.csv"),
        ("d/*.csv", "d", "*.csv"),
        ("d/day-{SPAN}/v{VERSION}/*.csv", "d", "day-{SPAN}/v{VERSION}/*.csv"),
        ("d/{SPAN}/", "d", "{SPAN}/*.csv*"),
        ("*/x.csv", ".", "*/x.csv"),
    ],
)
def test_split_path(path: str, base: str, pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    assert split_path(config(path)) == (base, pattern)


@pytest.mark.parametrize(
    ("path", "base", "pattern"),
    [
        ("/volume/orders", "/volume/orders", "*.csv*"),
        ("gs://bucket/orders/", "gs://bucket/orders", "*.csv*"),
        ("gs://bucket/orders/x.csv.gz", "gs://bucket/orders", "x.csv.gz"),
        ("x.csv", ".", "x.csv"),
        ("/x.csv", "/", "x.csv"),
        ("gs://bucket/{SPAN}", "gs://bucket", "{SPAN}/*.csv*"),
        ("gs://bucket/{SPAN}/*.csv", "gs://bucket", "{SPAN}/*.csv"),
    ],
)
def test_a_path_is_split_where_its_data_are_not(path: str, base: str, pattern: str) -> None:
    assert unseen_split_path(config(path)) == (base, pattern)


def test_other_files_of_a_folder_are_left_alone(tmp_path: Path) -> None:
    for name in ("a.csv", "b.CSV", "c.csv.gz.part", "d.csv~", ".e.csv", "README.md"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "sub.csv").mkdir()
    assert [Path(name).name for name in inspect_source(config(tmp_path)).files] == ["a.csv"]


def test_addresses_are_read_by_arrow(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    assert inspect_source(config(f"file://{tmp_path}")).columns == {"a": None}
    assert inspect_source(config(f"file://{tmp_path}/a.csv")).columns == {"a": None}
    assert inspect_source(config(f"file://{tmp_path}/*.csv")).columns == {"a": None}
    with pytest.raises(DataError, match="no file"):
        inspect_source(config(f"file://{tmp_path}/b.csv"))


def test_missing_columns_name_their_key_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("distance,carrier\n1,UA\n")
    source = inspect_source(config(tmp_path))
    check_columns(source, config(tmp_path), {"distance": "features.distance"})
    with pytest.raises(DataError) as error:
        check_columns(
            source,
            config(tmp_path, split={"by": "time", "column": "day", "eval_from": 3}),
            {"distanse": "features.distance.column", "carrier": "features.carrier", "zzz": "tasks.z.label"},
        )
    assert error.value.problems == [
        "data.split.column: the data have no column 'day'",
        "features.distance.column: the data have no column 'distanse'; did you mean 'distance'?",
        "tasks.z.label: the data have no column 'zzz'",
    ]
    with pytest.raises(DataError, match="data.split.key: .*'id'"):
        check_columns(source, config(tmp_path, split={"by": "hash", "key": ["id"]}), {})


def test_no_span_matches(tmp_path: Path) -> None:
    (tmp_path / "span-x").mkdir()
    with pytest.raises(DataError, match="no file matches .*span-.*no span"):
        inspect_source(config(f"{tmp_path}/span-{{SPAN}}/*.csv"))


def test_a_database_is_no_file_and_its_password_is_not_printed() -> None:
    with pytest.raises(DataError, match=r"postgresql://… is not an address of files.*export the table") as error:
        inspect_source(config("postgresql://me:secret@host:5432/shop"))
    assert "secret" not in str(error.value)
