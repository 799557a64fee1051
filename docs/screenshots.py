"""Takes README's pictures of the flights' newest report: `make screenshots`, after `make run`, with Chromium.

Beside the pictures lies a digest of what draws the report: a test fails when that has changed since.
"""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.home import Home  # noqa: E402
from pipeline.report.page import PAGE_FILE  # noqa: E402
from tests.browser import chromium  # noqa: E402

IMAGES = ROOT / "docs/images"
DIGEST = IMAGES / "drawn_by.sha256"
PICTURES = {"report": "light", "report-dark": "dark"}
"""A picture's name → the colour scheme."""
VIEWPORT = {"width": 1280, "height": 1500}


def digest_of_report() -> str:
    """A digest of the sources that draw the report."""
    report = ROOT / "pipeline/report"
    sources = [report / "wording.py", report / "training_plots.py", *(report / "page").rglob("*")]
    files = sorted(path for path in sources if path.suffix not in ("", ".pyc"))
    whole = hashlib.sha256()
    for path in files:
        whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()


def main() -> None:
    """Takes the pictures, and writes the digest when all are there."""
    page_file = ROOT / Home("flights").latest / PAGE_FILE
    if not page_file.exists():
        sys.exit(f"{page_file} is missing: `make run` makes it")
    IMAGES.mkdir(exist_ok=True)
    with chromium() as browser:
        for name, scheme in PICTURES.items():
            page = browser.new_page(viewport=VIEWPORT, color_scheme=scheme)
            page.goto(page_file.as_uri())
            page.screenshot(path=IMAGES / f"{name}.png")
            page.close()
            print(IMAGES / f"{name}.png")
    DIGEST.write_text(digest_of_report() + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
