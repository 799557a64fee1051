"""The documentation's site: it builds without warnings and without network, and fetches nothing."""

import ast
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from janus_core.packages import PACKAGES
from pipeline.config import JanusConfig
from pipeline.config.keys import keys_of
from tests.browser import chromium

ROOT = Path(__file__).parents[2]

# Any use of the network ends the build, also one that would be caught and passed over.
BUILD = """
import os, socket, sys
def refuse(*arguments, **options):
    sys.stderr.write("the network was used")
    sys.stderr.flush()
    os._exit(99)
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from mkdocs.__main__ import cli
cli()
"""


class Resources(HTMLParser):
    """Collects what a page makes a browser fetch, and the text that it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser."""
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video"):
            self.urls.append(values.get("src") or "")
        if tag == "link" and values.get("rel") != "canonical":
            self.urls.append(values.get("href") or "")

    def handle_data(self, data: str) -> None:
        """Called by the parser."""
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-c", BUILD, "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder


def parsed(page: Path) -> Resources:
    resources = Resources()
    resources.feed(page.read_text(encoding="utf-8"))
    return resources


def test_every_document_is_a_page(site: Path) -> None:
    documents = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    pages = {path.relative_to(site) for path in site.rglob("*.html")}
    assert pages - {Path("404.html")} == documents | {Path("reference.html")}


def test_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    found = {
        (page.name, url)
        for page in site.rglob("*.html")
        for url in parsed(page).urls
        if re.match(r"(?:[a-z]+:)?//", url)
    }
    assert found == set()
    imports = [
        css.name
        for css in site.rglob("*.css")
        if re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", css.read_text())
    ]
    assert imports == []


@pytest.mark.needs("chromium")
def test_the_copy_button_copies_the_commands(site: Path) -> None:
    """What reaches the clipboard is each command as it is typed."""
    with chromium() as browser:
        page = browser.new_page()
        page.add_init_script("document.addEventListener('copy', event => window.copied = String(getSelection()), true)")
        page.goto((site / "index.html").as_uri())
        block = page.locator("div.highlight").first
        block.hover()
        block.locator("button[data-md-type=copy]").click()
        page.wait_for_function("window.copied")
        assert page.evaluate("window.copied") == "make run\nmake serve"


def test_there_is_no_diagram_that_the_theme_would_fetch_a_library_for(site: Path) -> None:
    assert [page.name for page in site.rglob("*.html") if 'class="mermaid"' in page.read_text(encoding="utf-8")] == []


def test_hooks_are_no_part_of_the_site(site: Path) -> None:
    assert list(site.rglob("*.py")) == []


def test_the_reference_has_every_key(site: Path) -> None:
    text = parsed(site / "reference.html").text
    assert [key.path for key in keys_of(JanusConfig) if key.path not in text] == []


def test_links_out_of_the_documentation_became_names(site: Path) -> None:
    text = parsed(site / "kubeflow.html").text
    assert "configs/flights.yaml" in text
    assert 'href="../' not in "".join(
        re.findall(r"<article.*?</article>", (site / "kubeflow.html").read_text(), re.DOTALL)
    )


def templates() -> list[str]:
    """Of each module all texts, with … for what is put in: a message may be made of several."""
    found = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            texts = []
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values]
                    texts.append("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
            found.append("\n".join(texts))
    return found


def test_troubleshooting_is_about_messages_that_there_are() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    messages = [message for heading in headings for message in heading.split("`, `")]
    assert len(messages) > 40
    modules = templates()
    unknown = [
        message for message in messages if not any(all(map(text.__contains__, _words(message))) for text in modules)
    ]
    assert unknown == []


def _words(message: str) -> list[str]:
    """What stands between the things that are put in."""
    return [piece for piece in (piece.strip(" ,;:'") for piece in message.split("…")) if piece]
