"""Folders, run ids and the lock of a pipeline."""

import subprocess
import sys
from pathlib import Path

import pytest

from janus_core.errors import ConfigError, JanusError
from pipeline import home as homes
from pipeline.home import Home, note_on_size, require_writable, size_of, unused


def test_all_paths_are_relative_so_that_a_project_can_be_moved(home: Home) -> None:
    paths = [
        home.root,
        home.metadata,
        home.checkpoints,
        home.analyzer_cache,
        home.schemas,
        home.latest,
        home.run_folder("x"),
    ]
    assert all(path.parent == Path("runs/small") for path in paths)


def test_runs_in_one_second_get_ids_of_their_own(home: Home) -> None:
    ids = [home.new_run() for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(home.run_folder(run_id).is_dir() for run_id in ids)
    assert ids == sorted(ids)


def test_a_name_that_is_used_gets_the_first_number_that_is_not() -> None:
    assert unused("a", {"b"}.__contains__) == "a"
    assert unused("a", {"a", "a-2", "a-4"}.__contains__) == "a-3"


def test_ids_stay_in_order_where_the_clock_is_set_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.home.now", lambda: "2026-11-30T12-00-00")
    first = [home.new_run(), home.new_run()]
    monkeypatch.setattr("pipeline.home.now", lambda: "2026-11-29T12-00-00")
    back = [home.new_run() for _ in range(10)]
    monkeypatch.setattr("pipeline.home.now", lambda: "2026-12-01T12-00-00")
    ids = [*first, *back, home.new_run()]
    assert home.run_ids() == ids[::-1]
    assert back[-1] == "2026-11-30T12-00-00-12"


def test_latest_links_to_the_last_run(home: Home) -> None:
    for run_id in (home.new_run(), home.new_run()):
        home.link_latest(run_id)
        assert home.latest.resolve() == home.run_folder(run_id).resolve()
        assert home.latest.readlink() == Path(run_id)


def test_a_second_process_is_kept_out_and_the_first_is_named(home: Home) -> None:
    other = "from pipeline.home import Home\nwith Home('small').lock():\n  print('locked', flush=True)\n  input()"
    with subprocess.Popen(
        [sys.executable, "-c", other], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(JanusError, match=f"process {process.pid}"), home.lock():
            pass
        process.kill()
    with home.lock():
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"the folder for models, the folder .*/file/below, cannot be written"):
        require_writable(tmp_path / "file" / "below", "the folder for models")


def test_artifacts_without_their_database_are_set_aside(home: Home) -> None:
    assert home.move_orphans() is None
    (home.root / "Trainer").mkdir(parents=True)
    home.checkpoints.mkdir()
    home.analyzer_cache.mkdir()
    home.metadata.write_bytes(b"SQLite")
    assert home.move_orphans() is None
    home.metadata.write_bytes(b"")
    aside = home.move_orphans()
    assert aside is not None
    assert (aside / "Trainer").is_dir()
    assert not home.root.exists()
    assert not home.checkpoints.exists()
    assert not home.analyzer_cache.exists()


def test_the_size_is_of_files_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_bytes(b"x" * 10)
    (tmp_path / "two").write_bytes(b"x" * 5)
    (tmp_path / "link").symlink_to(tmp_path / "two")
    (tmp_path / "dangling").symlink_to(tmp_path / "three")
    assert size_of(tmp_path) == 15
    # As if another process had removed a file between the listing and the look at it.
    monkeypatch.setattr(homes.os, "walk", lambda folder: [(str(folder), [], ["two", "gone"])])
    assert size_of(tmp_path) == 5


def test_only_a_large_home_has_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = Home("small")
    small.create()
    (small.folder / "file").write_bytes(b"x" * 2000)
    assert note_on_size(small) is None
    monkeypatch.setattr(homes, "LARGE_HOME", 1000)
    assert note_on_size(small) == "runs/small holds 2.0 kB: `janus clean CONFIG` shows what no run needs"
