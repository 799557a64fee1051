"""docs/architecture.md names the folders that there are, and all of them."""

import re

import pytest

from janus_core.packages import PACKAGES
from tests.docs.scripts import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PLACES = ["", *(f"{package}/" for package in PACKAGES), "pipeline/commands/runs/"]


def test_what_it_names_exists() -> None:
    # Of the tables and the text: what ends with a slash or .py, in backticks.
    named = set(re.findall(r"`([\w./]+(?:/|\.py))`", PAGE)) - {"models/"}
    assert len(named) > 20
    assert [name for name in sorted(named) if not any((ROOT / place / name).exists() for place in PLACES)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_it_names_every_folder_of_a_package(package: str) -> None:
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert [name for name in sorted(folders) if not re.search(rf"\b{name}\b", PAGE)] == []


def test_it_names_what_is_at_the_top() -> None:
    hidden = {path.name for path in ROOT.iterdir() if path.name.startswith(".")}
    ignored = {"data", "runs", "build", "models"}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - hidden - ignored
    missing = [name for name in sorted(folders) if f"`{name}" not in PAGE and not name.endswith(".egg-info")]
    assert missing == []
