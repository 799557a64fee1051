"""README is short, its figures are those of docs/, and what it links to exists."""

import re
from pathlib import Path

import pytest

from tests.docs.scripts import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(text: str) -> dict[str, list[str]]:
    """The rows of all Markdown tables, by their first cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {first: others for first, *others in cells}


def test_it_is_short() -> None:
    assert len(README.split()) <= 1200


@pytest.mark.parametrize(("page", "whole"), [("performance", "whole"), ("comparison", "whole pipeline")])
def test_the_measured_rows_are_those_of_the_docs(page: str, whole: str) -> None:
    measured = rows((ROOT / f"docs/{page}.md").read_text(encoding="utf-8"))
    for name in ("ExampleGen", "Transform", "Evaluator", "whole pipeline"):
        stock, janus, ratio = rows(README)[name]
        there = measured[whole if name == "whole pipeline" else name]
        assert there[:2] == [stock, janus]
        assert there[2].split()[0] == ratio


def test_the_ratios_are_of_about_these_times() -> None:
    """A ratio is the median of the pairs' ratios, not that of the medians."""
    for name in ("ExampleGen", "Transform", "Evaluator", "whole pipeline"):
        stock, janus, ratio = (float(cell.rstrip(" s×")) for cell in rows(README)[name])
        assert stock / janus == pytest.approx(ratio, rel=0.1)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_lead_to_files(page: str) -> None:
    targets = re.findall(r"(?:\]\(|src=\"|srcset=\")([^)\"#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert [target for target in targets if ":" not in target and not Path(ROOT / target).exists()] == []
