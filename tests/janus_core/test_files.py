import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from janus_core.errors import JanusError
from janus_core.files import (
    delete,
    delete_abandoned,
    delete_unfinished,
    exclusive,
    link_to,
    replacing,
    try_to_write,
    write_text,
    write_texts,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.yaml"
    with replacing(path) as staging:
        assert staging.parent == path.parent
        assert staging.suffix == ".yaml", "libraries choose a format by it"
        staging.write_text("one")
        assert not path.exists()
    assert names(path.parent) == ["a.yaml"]
    assert write_text(path, "twö") == path
    assert path.read_bytes() == "twö".encode()


@pytest.mark.parametrize("old", ["nothing", "file", "folder", "link"])
def test_a_folder_takes_the_place_of_whatever_was_there(tmp_path: Path, old: str) -> None:
    path = tmp_path / "folder"
    if old == "file":
        path.write_text("old")
    elif old == "folder":
        path.mkdir()
        (path / "old").touch()
    elif old == "link":
        path.symlink_to("nowhere")
    with replacing(path, durable=True) as staging:
        staging.mkdir()
        (staging / "new").touch()
    assert names(tmp_path) == ["folder"]
    assert names(path) == ["new"]


@pytest.mark.parametrize("made", ["file", "folder", "nothing"])
def test_an_error_leaves_what_was_there(tmp_path: Path, made: str) -> None:
    path = write_text(tmp_path / "a", "old")

    def fail_after(staging: Path) -> None:
        if made == "file":
            staging.touch()
        elif made == "folder":
            (staging / "below").mkdir(parents=True)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), replacing(path) as staging:
        fail_after(staging)
    assert names(tmp_path) == ["a"]
    assert path.read_text() == "old"


def test_an_old_folder_comes_back_where_the_new_one_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def fail_in_place(self: Path, target: Path) -> Path:
        if target == path and not self.name.endswith("-old"):
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_in_place)
    with pytest.raises(OSError, match="no"), replacing(path) as staging:
        staging.mkdir()
    assert names(tmp_path) == ["folder"]
    assert names(path) == ["old"]


def test_of_several_files_none_is_written_where_one_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_texts({tmp_path / "a": "new", tmp_path / "file" / "b": "new"})
    assert names(tmp_path) == ["file"]
    write_texts({tmp_path / "a": "new", tmp_path / "folder" / "b": "too"})
    assert [(tmp_path / "a").read_text(), (tmp_path / "folder" / "b").read_text()] == ["new", "too"]


def test_a_link_is_replaced(tmp_path: Path) -> None:
    for target in ("one", "two"):
        (tmp_path / target).mkdir()
        link_to(tmp_path / "latest", target)
        assert (tmp_path / "latest").readlink() == Path(target)
    assert names(tmp_path) == ["latest", "one", "two"]


def test_what_is_unfinished_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a[1]"
    write_text(tmp_path / f".staging-{os.getpid() + 1}-0-a[1]", "another process's")
    with replacing(path) as one, replacing(path) as two, replacing(tmp_path / "b") as other:
        one.touch()
        two.mkdir()
        other.touch()
        delete_unfinished(path)
        assert not one.exists()
        assert not two.exists()
        one.touch()
        two.touch()
    assert names(tmp_path) == [f".staging-{os.getpid() + 1}-0-a[1]", "a[1]", "b"]


def test_a_link_is_deleted_without_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    delete(tmp_path / "link")
    delete(tmp_path / "nothing")
    assert names(tmp_path) == ["folder"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    try_to_write(tmp_path / "new")
    assert names(tmp_path / "new") == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        try_to_write(tmp_path / "file" / "below")


def test_a_lock_is_refused_with_its_holder_and_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    refused = pytest.raises(JanusError, match=rf"^taken by {os.getpid()}$")
    with exclusive(path, "no"), refused, exclusive(path, "taken by {holder}"):
        pass
    with exclusive(path, "taken by {holder}"):
        pass


def test_a_lock_is_waited_for_and_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    code = (
        "import os, pathlib, time; from janus_core.files import exclusive\n"
        f"with exclusive(pathlib.Path({str(path)!r}), 'no'):\n"
        "    print('held', flush=True); time.sleep(0.5); os._exit(9)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(JanusError, match=f"taken by {process.pid}"), exclusive(path, "taken by {holder}"):
            pass
        started = time.monotonic()
        with exclusive(path, "taken by {holder}", wait_seconds=60):
            assert time.monotonic() - started < 30
        assert process.wait() == 9


def test_what_dead_processes_had_begun_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with replacing(tmp_path / "live") as live:
        live.mkdir()
        dead = tmp_path / f".staging-{ended.pid}-0123abcd-report.json"
        dead.touch()
        for name in (f".staging-{ended.pid}-0123abcd-folder", ".staging-99999999999999999999-17", ".staging-model"):
            (tmp_path / name).mkdir()
        delete_abandoned(tmp_path)
        assert names(tmp_path) == sorted([live.name, ".staging-model"])
