"""Writes report.html, the model card and the numbers behind them, each whole or not at all."""

from pathlib import Path

from pydantic import BaseModel

from janus_core.files import write_text
from janus_core.fingerprint import digest_of_json, source_fingerprint
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import ANALYSIS_FILE, Analysis
from pipeline.report.model_card import CARD_FILE, NOTES_FILE, card_markdown, model_card, read_notes
from pipeline.report.page import PAGE_FILE
from pipeline.report.page.page import render
from pipeline.report.report_json import RunReport

PLOTS_FILE = ".plots.json"


class Plots(BaseModel):
    """The plots of the last page, since drawing takes seconds that a run that changes nothing should not take."""

    key: str
    drawn: dict[str, str]


def write_pages(report: RunReport, config: JanusConfig, analysis: Analysis, home: Path, folder: Path) -> Path:
    """Writes the page and the model card of a run, and returns the page's path.

    Args:
        report: report.json.
        config: what the run was started with.
        analysis: the result of `analyse`.
        home: the pipeline's home, where the card's notes are.
        folder: the run's.

    Raises:
        OSError: a file cannot be written.
    """
    card = model_card(report, config, analysis, read_notes(home / NOTES_FILE))
    write_text(folder / ANALYSIS_FILE, analysis.model_dump_json(indent=1) + "\n")
    write_text(folder / CARD_FILE, card_markdown(card))
    plots = _plots(home / PLOTS_FILE, _key(report, config, analysis))
    before = len(plots.drawn)
    page = render(report, config, analysis, card, plots.drawn)
    if len(plots.drawn) > before:
        write_text(home / PLOTS_FILE, plots.model_dump_json())
    return write_text(folder / PAGE_FILE, page)


def _key(report: RunReport, config: JanusConfig, analysis: Analysis) -> str:
    """Of all that plots are drawn from."""
    made_of = {
        "report": report.model_dump(include={"tasks", "history"}),
        "evaluation": config.evaluation.model_dump(mode="json"),
        "analysis": analysis.model_dump(include={"tasks"}),
        "code": source_fingerprint(__name__),
    }
    return digest_of_json(made_of)


def _plots(path: Path, key: str) -> Plots:
    try:
        plots = Plots.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Missing, damaged or not UTF-8: pydantic's error is a ValueError too.
        return Plots(key=key, drawn={})
    return plots if plots.key == key else Plots(key=key, drawn={})
