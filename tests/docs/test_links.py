"""The hook that makes names of links to files which the site does not have."""

import logging
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.docs.scripts import load


@pytest.fixture(scope="module")
def links() -> ModuleType:
    """docs/hooks/links.py, which is in no package."""
    return load("docs/hooks/links.py")


@pytest.fixture
def project(tmp_path: Path) -> SimpleNamespace:
    """A configuration of MkDocs in a project with two files outside docs/."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/x.yaml").touch()
    (tmp_path / "README.md").touch()
    (tmp_path / "docs").mkdir()
    return SimpleNamespace(docs_dir=str(tmp_path / "docs"), config_file_path=str(tmp_path / "mkdocs.yml"))


PAGE = SimpleNamespace(file=SimpleNamespace(src_uri="a.md"))


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("See [configs/x.yaml](../configs/x.yaml).", "See `configs/x.yaml`."),
        ("See [`x.yaml`](../configs/x.yaml).", "See `configs/x.yaml`."),
        ("See [Spans](../README.md#spans).", "See Spans (`README.md`)."),
        ("See [b](b.md).", "See [b](b.md)."),
        ("```\n[x](../configs/x.yaml)\n```\n", "```\n[x](../configs/x.yaml)\n```\n"),
    ],
)
def test_links(links: ModuleType, project: SimpleNamespace, markdown: str, expected: str) -> None:
    assert links.on_page_markdown(markdown, PAGE, project, None) == expected


@pytest.mark.parametrize("target", ["../configs/none.yaml", "../../elsewhere"])
def test_a_link_to_no_file_is_a_warning(
    links: ModuleType, project: SimpleNamespace, caplog: pytest.LogCaptureFixture, target: str
) -> None:
    with caplog.at_level(logging.WARNING, logger="mkdocs.hooks.links"):
        assert links.on_page_markdown(f"[x]({target})", PAGE, project, None) == f"[x]({target})"
    assert caplog.messages == [f"a.md: the link to '{target}' leads to no file of the repository"]
