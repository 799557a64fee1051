"""The wheel that `pip install .` makes: it holds all that the packages need, and works without the source tree."""

import os
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from janus_core.packages import PACKAGES
from tests.project import SOURCES, copy_sources


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from a copy of the sources, without network."""
    folder = tmp_path_factory.mktemp("sources")
    copy_sources(folder, *PACKAGES, "requirements")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (folder / name).write_bytes((SOURCES / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"],
        cwd=folder,
        check=True,
        timeout=300,
    )
    (made,) = folder.glob("*.whl")
    return made


def test_it_holds_every_file_of_the_packages(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = {
        path.relative_to(SOURCES).as_posix()
        for package in PACKAGES
        for path in (SOURCES / package).rglob("*")
        # A configuration may push models into serving/<name>/<version>/, which is no package.
        if path.is_file() and path.suffix in {".py", ".typed", ".html", ".css", ".js", ".j2"}
        if not any(part.isdigit() or part == "__pycache__" for part in path.parts)
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert tracked - held == set()


def test_it_holds_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {*PACKAGES, "janus_mtl-0.1.0.dist-info", "janus_mtl-0.1.0.data"}


def test_it_brings_the_command_and_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        points = archive.read("janus_mtl-0.1.0.dist-info/entry_points.txt").decode()
        metadata = Parser().parsestr(archive.read("janus_mtl-0.1.0.dist-info/METADATA").decode())
    assert "janus = janus_core.entry:main" in points
    assert metadata["Name"] == "janus-mtl"
    required = {line.split(";")[0].split(">")[0].strip() for line in metadata.get_all("Requires-Dist") or []}
    assert {"tensorflow", "tfx", "tensorflow-transform", "tensorflow-model-analysis", "apache-beam"} <= required


def test_it_brings_the_locks_and_their_installer(wheel: Path) -> None:
    shared = "janus_mtl-0.1.0.data/data/share/janus-mtl/"
    with zipfile.ZipFile(wheel) as archive:
        held = {name.removeprefix(shared): archive.read(name) for name in archive.namelist() if shared in name}
    assert set(held) == {"modern.txt", "portable.txt", "install.py", "stack.py"}
    assert all(text == (SOURCES / "requirements" / name).read_bytes() for name, text in held.items())


@pytest.mark.slow
@pytest.mark.very_slow
def test_it_is_installed_in_an_empty_environment_as_documented(wheel: Path, tmp_path: Path) -> None:
    (line,) = re.findall(r"^(env/bin/pip install .*janus_mtl.*)$", (SOURCES / "docs/install.md").read_text(), re.M)
    base = sys.base_prefix + "/bin/python3.11"
    subprocess.run([base, "-m", "venv", "env"], cwd=tmp_path, check=True)
    (tmp_path / wheel.name).write_bytes(wheel.read_bytes())
    # Neither this environment's packages nor the source tree.
    settings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, shell=True, cwd=tmp_path, env=settings, capture_output=True, text=True)

    first, _, rest = line.partition(" && ")
    assert run(first).returncode == 0
    alone = run("env/bin/janus --version")
    assert alone.returncode == 1
    assert "share/janus-mtl/install.py" in alone.stderr
    done = run(rest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run("env/bin/janus --version").stdout == "janus 0.1.0\n"
    rows = [f"{n % 7},{'no' if n % 4 else 'yes'}" for n in range(400)]
    (tmp_path / "table.csv").write_text("\n".join(["a,late", *rows]))
    init = run("env/bin/janus init table.csv --targets late --name small")
    assert init.returncode == 0, init.stderr
    # The whole stack loads from there: this imports TFX.
    trial = run("env/bin/janus schema configs/small.yaml")
    assert trial.returncode == 0, trial.stderr


@pytest.mark.slow
def test_it_works_where_there_is_no_source_tree(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "table.csv").write_text(
        "a,b,late,delay\n" + "".join(f"{n % 7},{n % 3},{'no' if n % 4 else 'yes'},{n % 11}\n" for n in range(400))
    )

    def janus(*arguments: str) -> str:
        # Ahead of the source tree, which the environment knows by an editable install.
        start = (
            f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); from pipeline.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", start, *arguments],
            cwd=tmp_path / "work",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert janus("--version") == "janus 0.1.0\n"
    janus("init", "table.csv", "--targets", "late,delay", "--name", "small")
    assert (tmp_path / "work" / "configs" / "small.yaml").exists()
    assert "tasks" in janus("explain")
