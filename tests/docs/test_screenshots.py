"""README's pictures are there, and show the report as it is drawn now."""

import re
import struct
from types import ModuleType

import pytest

from tests.docs.scripts import ROOT, load


@pytest.fixture(scope="module")
def screenshots() -> ModuleType:
    """docs/screenshots.py, which is in no package."""
    return load("docs/screenshots.py")


def test_they_are_of_the_report_as_it_is_drawn_now(screenshots: ModuleType) -> None:
    taken = screenshots.DIGEST.read_text(encoding="ascii").strip()
    assert taken == screenshots.digest_of_report(), "what draws the report has changed: `make screenshots`"


def test_readme_shows_them(screenshots: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"docs/images/([\w-]+)\.png", readme))
    assert shown == set(screenshots.PICTURES)
    assert re.search(r'<img [^>]*alt="[^"]{20,}"', readme)


def test_they_are_whole(screenshots: ModuleType) -> None:
    for name in screenshots.PICTURES:
        picture = (screenshots.IMAGES / f"{name}.png").read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", picture[16:24]) == tuple(screenshots.VIEWPORT.values())
        assert picture[-8:-4] == b"IEND"
