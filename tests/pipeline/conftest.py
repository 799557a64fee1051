"""A working folder of a test's own, and in it a pipeline's home."""

from pathlib import Path

import pytest

from pipeline.home import Home
from tests.pipeline.small import write_table


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    found = Home("small")
    found.create()
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table."""
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path)
    return tmp_path
