"""Folders of a user's that are named like Janus' packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from janus_core.packages import PACKAGES, ROOT


def python(*arguments: str, cwd: Path, path: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": path, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def own_folder(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("")


# An empty entry is the working folder, as `export PYTHONPATH=$PYTHONPATH:/a` leaves it.
@pytest.mark.parametrize("path", ["", ":/nowhere", "."])
def test_the_console_script_takes_its_own_packages(tmp_path: Path, path: str) -> None:
    own_folder(tmp_path, *(name for name in PACKAGES if name != "janus_core"))
    (script,) = Path(sys.prefix, "bin").glob("janus")
    assert "janus_core.entry" in script.read_text()
    # The source tree that the environment knows may be another than this one.
    start = f"import sys; sys.path.append({str(ROOT)!r}); from janus_core.entry import main; main()"
    done = python("-P", "-c", start, "explain", "data.format", cwd=tmp_path, path=path)
    assert done.returncode == 0, done.stderr
    assert "csv" in done.stdout


@pytest.mark.parametrize("name", ["components", "trainer", "serving"])
def test_the_module_takes_its_own_packages(tmp_path: Path, name: str) -> None:
    own_folder(tmp_path, name)
    done = python("-m", "pipeline", "explain", "data.format", cwd=tmp_path, path=f"{tmp_path}:{ROOT}")
    assert done.returncode == 0, done.stderr


def test_a_foreign_package_that_was_imported_before_is_named(tmp_path: Path) -> None:
    own_folder(tmp_path, "components")
    done = python("-c", "import components; import pipeline", cwd=tmp_path, path=f"{tmp_path}:{ROOT}")
    assert done.returncode == 1
    assert f"'components' was imported from {tmp_path / 'components'} before Janus" in done.stderr
    assert str(ROOT / "components") in done.stderr


def test_a_foreign_module_is_named_as_well(tmp_path: Path) -> None:
    (tmp_path / "trainer.py").write_text("")
    done = python("-c", "import trainer; import pipeline", cwd=tmp_path, path=f"{tmp_path}:{ROOT}")
    assert f"'trainer' was imported from {tmp_path / 'trainer.py'} before Janus" in done.stderr
