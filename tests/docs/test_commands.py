"""The commands in README and docs: they can be copied as they are, and exist."""

import json
import re
from pathlib import Path

import pytest

from tests.docs.scripts import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("README.md")])
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    *("apt-get", "cd", "cp", "curl", "docker", "janus", "jupyter", "kubectl", "make", "pip", "pre-commit", "pytest"),
    *("python", "python3.11"),
}


def blocks(page: Path, language: str) -> list[str]:
    return [
        block["text"] for block in BLOCK.finditer(page.read_text(encoding="utf-8")) if block["language"] == language
    ]


def commands(page: Path) -> list[str]:
    """The first line of each command; a line that is indented continues the one before."""
    lines = [line for text in blocks(page, "sh") for line in text.splitlines()]
    return [line for line in lines if line and not line[0].isspace() and not line.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_block_of_commands_holds_commands_only(page: Path) -> None:
    """What a copy button copies can be run: no prompt, and no output."""
    words = [re.sub(r"^(?:[A-Z_]+=\S* )+", "", line).split()[0] for line in commands(page)]
    assert [word for word in words if Path(word).name not in PROGRAMS] == []
    languages = {block["language"] for block in BLOCK.finditer(page.read_text(encoding="utf-8"))}
    assert languages <= {"sh", "text", "yaml", "python", "javascript", "json", "toml"}


def test_the_tour_has_no_prompt() -> None:
    cells = json.loads((ROOT / "docs/tour.ipynb").read_text(encoding="utf-8"))["cells"]
    assert [cell["id"] for cell in cells if re.search(r"(?m)^\$ ", "".join(cell["source"]))] == []


def test_the_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = {line.split()[1] for page in PAGES for line in commands(page) if line.startswith("make ")}
    assert used - targets == set()
    assert {"setup", "run", "test", "check"} <= used
