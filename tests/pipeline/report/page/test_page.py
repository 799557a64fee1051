"""The page in a browser: nothing breaks out of it, everyone can read it, and it fits the screens."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from pipeline.report.analysis.analysis_json import ANALYSIS_FILE, Analysis
from pipeline.report.model_card import CARD_FILE, model_card
from pipeline.report.page import PAGE_FILE
from pipeline.report.page.page import render
from pipeline.report.report_json import RunReport
from pipeline.report.write import write_pages
from tests.browser import chromium
from tests.pipeline.report.sample_run import FEW, HOSTILE, analysis_of, config, report_of, small_table

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, of every kind of task."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "run"
    folder.mkdir()
    table, of = small_table(), config()
    write_pages(report_of(table, of), of, analysis_of(table, of), home, folder)
    return folder


@pytest.fixture
def open_page(browser: Browser, written: Path) -> Iterator[Page]:
    """The page on a desktop; there must be no error, and no request."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    errors, requests = [], []
    page.on("console", lambda line: errors.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((written / PAGE_FILE).as_uri())
    yield page
    context.close()
    assert errors == []
    assert requests == [(written / PAGE_FILE).as_uri()]


def test_it_is_small_and_has_all_that_a_run_has(written: Path, open_page: Page) -> None:
    assert (written / PAGE_FILE).stat().st_size < 3_000_000
    titles = open_page.locator("h2").all_inner_texts()
    assert titles[0].endswith("Not pushed")
    names = ["visits", "grade", "topics", "delay", "wait", "buy", "click", "place", "names"]
    assert [title.split()[0] for title in titles[1:10]] == names
    assert titles[10:14] == ["Training of all tasks together", "Data", "Pipeline", titles[13]]
    plots = {
        name: open_page.locator(f"section[aria-labelledby=k{place}] figure.plot h3").all_inner_texts()
        for place, name in enumerate(names)
    }
    assert plots["click"] == [
        "loss", "gate", "Beside simple models", "Calibration", "ROC", "Precision and recall", "Confusion matrix",
        "By origin", "Permutation importance",
    ]  # fmt: skip
    assert plots["visits"] == [
        "loss", "Beside simple models", "Residuals", "Predicted and true", "By origin", "Permutation importance",
    ]  # fmt: skip
    assert "Confusion matrix" not in plots["topics"]
    assert "Calibration of the quantiles" in plots["delay"]
    assert "max 5" in open_page.locator(".verdict").inner_text()
    assert "✗ ≤ 5 FAILED" in open_page.locator("section[aria-labelledby=k3] .gate.bad").first.inner_text()


def test_names_and_values_of_the_data_stay_text(open_page: Page) -> None:
    assert open_page.evaluate("window.broken") is None
    assert open_page.locator("script").count() == 0
    shown = HOSTILE.replace("\x00", "\ufffd")
    assert shown in open_page.locator(".columns tbody th").first.text_content()
    assert shown in open_page.locator(".verdict li").first.text_content()
    assert shown in open_page.locator("section[aria-labelledby=k6] figcaption").last.text_content()


def test_every_id_is_there_once(open_page: Page) -> None:
    ids = open_page.evaluate("[...document.querySelectorAll('[id]')].map(found => found.id)")
    assert len(ids) == len(set(ids)) > 20
    links = open_page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map(found => found.hash.slice(1))")
    assert set(links) <= set(ids)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_and_everyone_can_read_it(browser: Browser, written: Path, size: dict[str, int], scheme: str) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    page.goto((written / PAGE_FILE).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    faults = [
        (fault["id"], fault["nodes"][0]["html"][:200])
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []
    boxes = page.evaluate(
        "[...document.querySelectorAll('figure.plot')].map(found => found.getBoundingClientRect())"
        ".map(box => [box.left, box.top, box.right, box.bottom])"
    )
    columns = len({round(box[0]) for box in boxes})
    assert columns == (3 if size is DESKTOP else 1)
    for place, one in enumerate(boxes):
        assert one[2] - one[0] > 280
        for other in boxes[place + 1 :]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (one, other)
    text = page.evaluate("getComputedStyle(document.body).color")
    drawn = page.evaluate("getComputedStyle(document.querySelector('figure.plot svg text')).fill")
    assert text == drawn == ("rgb(23, 26, 33)" if scheme == "light" else "rgb(232, 234, 240)")
    context.close()


def test_the_same_run_gives_the_same_page() -> None:
    table, of = small_table(), config(FEW)

    def page() -> str:
        report, analysis = report_of(table, of), analysis_of(table, of)
        return render(report, of, analysis, model_card(report, of, analysis, {}))

    assert page() == page()


def test_a_run_that_came_to_nothing_says_why(browser: Browser, tmp_path: Path) -> None:
    report = RunReport(
        janus="0.1.0",
        pipeline="kinds",
        run_id="r",
        seconds=1.0,
        stack={},
        exit_code=3,
        problems=["AnomalyGate: column 'x' is missing"],
    )
    write_pages(report, config(), Analysis(), tmp_path, tmp_path)
    page = browser.new_page()
    page.goto((tmp_path / PAGE_FILE).as_uri())
    verdict = page.locator(".verdict").inner_text()
    assert "did not finish" in verdict
    assert "AnomalyGate: column 'x' is missing" in verdict
    assert "before a model was trained" in page.locator("main").inner_text()
    assert page.locator("figure.plot").count() == 0
    page.close()


@pytest.mark.slow
def test_plots_are_drawn_once_for_the_same_numbers(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, of = small_table(), config()
    report, analysis = report_of(table, of, seconds=99.0), analysis_of(table, of)
    before = (written / PAGE_FILE).read_text()

    def draw(*arguments: object) -> str:
        raise AssertionError("drawn again")

    monkeypatch.setattr("pipeline.report.page.page.draw", draw)
    again = write_pages(report, of, analysis, written.parent, written).read_text()
    assert again.replace("99.0 s", "12.5 s") == before
    assert not list(written.glob(f".{PAGE_FILE}*"))
    changed = report.model_copy(update={"history": report.history[:2]})
    with pytest.raises(AssertionError, match="drawn again"):
        write_pages(changed, of, analysis, written.parent, written)


def test_the_numbers_and_the_card_lie_beside_it(written: Path) -> None:
    assert (
        Analysis.model_validate(json.loads((written / ANALYSIS_FILE).read_text())).tasks.keys() == config().tasks.keys()
    )
    assert "# Model card: kinds" in (written / CARD_FILE).read_text()
