"""What is known to fail before TFX is loaded."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import ConfigError, DataError, JanusError
from pipeline import preflight
from pipeline.home import Home
from pipeline.preflight import check_before_run, check_metadata
from tests.pipeline.small import small_config


def test_what_is_right_passes(folder: Path) -> None:
    check_before_run(small_config(folder), Home("small"))


def test_missing_data(folder: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        check_before_run(small_config(folder, data={"path": str(folder / "nowhere")}), Home("small"))


@pytest.mark.parametrize("content", ["", "distance,carrier,late,delay\n"])
def test_empty_data(folder: Path, content: str) -> None:
    (folder / "data" / "table.csv").write_text(content)
    with pytest.raises(DataError, match=r"table\.csv"):
        check_before_run(small_config(folder), Home("small"))


def test_a_column_that_is_missing_is_named_with_its_key_and_the_nearest(folder: Path) -> None:
    config = small_config(folder, features={"distanse": {"kind": "numeric"}})
    with pytest.raises(DataError, match=r"features\.distanse.*did you mean 'distance'"):
        check_before_run(config, Home("small"))


@pytest.mark.parametrize("key", [{"null_values": {"distanc": ["NA"]}}, {"decimal": {"distanc": ","}}])
def test_a_column_of_a_form_that_is_missing_is_named_with_its_key(folder: Path, key: dict[str, Any]) -> None:
    config = small_config(folder, data={"path": str(folder / "data"), **key})
    with pytest.raises(DataError, match=rf"data\.{next(iter(key))}.*did you mean 'distance'"):
        check_before_run(config, Home("small"))


def test_a_weight_column_that_is_missing_is_named_with_its_key(folder: Path) -> None:
    tasks = {"delay": {"kind": "count", "label": "delay", "sample_weight": "distanc"}}
    with pytest.raises(DataError, match=r"tasks\.delay\.sample_weight.*did you mean 'distance'"):
        check_before_run(small_config(folder, tasks=tasks), Home("small"))


def test_a_push_folder_that_cannot_be_written(folder: Path) -> None:
    config = small_config(folder, push={"path": str(folder / "data" / "table.csv" / "serving")})
    with pytest.raises(ConfigError, match=r"push\.path"):
        check_before_run(config, Home("small"))


@pytest.mark.parametrize("path", ["runs/small", "./runs/small/models/x", "runs/other"])
def test_a_push_folder_in_the_home_of_a_pipeline(folder: Path, path: str) -> None:
    """A push would wait for the lock that the run itself holds."""
    Home("other").create()
    Home("other").metadata.touch()
    with pytest.raises(ConfigError, match=r"push\.path: runs/.* is in the home of a pipeline"):
        check_before_run(small_config(folder, push={"path": path}), Home("small"))


def test_a_push_folder_without_a_number_for_a_new_version(folder: Path) -> None:
    (folder / "models" / str(2**63 - 1)).mkdir(parents=True)
    with pytest.raises(ConfigError, match="the greatest number that a version can have"):
        check_before_run(small_config(folder, push={"path": "models"}), Home("small"))


def test_a_network_that_is_larger_than_the_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "available_memory", lambda: 8_000_000_000)
    check_before_run(small_config(folder, model={"trunk": {"units": [100_000]}}), Home("small"))
    with pytest.raises(ConfigError, match=r"model\.\w+: to train the network takes at least .* GB .* 8\.0 GB are free"):
        check_before_run(small_config(folder, model={"trunk": {"units": [10_000_000]}}), Home("small"))


def test_a_schema_that_does_not_fit(folder: Path) -> None:
    (folder / "small.pbtxt").write_text('feature { name: "distance" type: BYTES }')
    with pytest.raises(DataError) as caught:
        check_before_run(small_config(folder, schema="small.pbtxt"), Home("small"))
    assert caught.value.problems == [
        "small.pbtxt has no column 'carrier', which features.carrier names",
        "small.pbtxt has no column 'late', which tasks.late.label names",
        "small.pbtxt has no column 'delay', which tasks.delay.label names",
        "small.pbtxt: column 'distance' is BYTES, but features.distance needs a number",
    ]


def test_no_database_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    check_metadata(tmp_path / "empty.db")
    check_metadata(tmp_path / "metadata.db")


def test_a_locked_database_is_reported_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LOCK_TIMEOUT_SECONDS", 0.1)
    database = tmp_path / "metadata.db"
    with sqlite3.connect(database, isolation_level=None) as connection:
        connection.execute("CREATE TABLE t (x)")
        check_metadata(database)
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JanusError, match=r"metadata\.db is locked by another process: .*fuser") as caught:
            check_metadata(database)
        connection.execute("ROLLBACK")
    assert caught.value.exit_code == 1
    connection.close()


@pytest.mark.parametrize("content", [b"this is no database, but it is long enough to be read as one" * 20, b"SQLite"])
def test_a_damaged_database_is_reported_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    database = tmp_path / "metadata.db"
    database.write_bytes(content)
    with pytest.raises(JanusError, match=r"metadata\.db is damaged .*move it away"):
        check_metadata(database)
