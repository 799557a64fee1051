"""Temporary files within a folder that is removed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from janus_core.temporary import shared_folder, temporary_files_in


def test_this_process_and_its_children_write_into_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder, before = Path("runs/small/tmp"), (tempfile.gettempdir(), dict(os.environ))
    folder.mkdir(parents=True)
    (folder / "of-a-killed-run").touch()
    ask = "import tempfile; print(tempfile.mkdtemp())"
    with temporary_files_in(folder):
        (made,) = [Path(tempfile.mkdtemp())]
        child = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, cwd="/")
        assert {path.resolve() for path in folder.iterdir()} == {made.resolve(), Path(child.stdout.strip()).resolve()}
        assert shared_folder() == Path(before[0])
        with temporary_files_in(tmp_path / "inner"):
            assert shared_folder() == Path(before[0])
            assert tempfile.gettempdir() == str(tmp_path / "inner")
        assert tempfile.gettempdir() == str(folder.absolute())
    assert not folder.exists()
    assert (tempfile.gettempdir(), dict(os.environ)) == before
    assert shared_folder() == Path(before[0])
