"""The model card: what it says, and that what people wrote is kept."""

import re
from pathlib import Path

from pipeline.report.analysis.analysis_json import ColumnAnalysis
from pipeline.report.jinja import escaped_markdown
from pipeline.report.model_card import CARD_FILE, NOTES_FILE, card_markdown, model_card, notes_of, read_notes
from pipeline.report.write import write_pages
from tests.pipeline.report.sample_run import FEW, HOSTILE, analysis_of, config, report_of, small_table


def test_every_section_is_there_and_hostile_text_is_no_markup() -> None:
    table, of = small_table(), config()
    text = card_markdown(model_card(report_of(table, of), of, analysis_of(table, of), {}))
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == [
        "Intended use", "Data", "Metrics and slices", "Limits", "Notes",
    ]  # fmt: skip
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == list(of.tasks)
    assert "<script>" not in text
    assert "mae" in text
    assert "≤ 5 FAILED" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}


def test_the_data_section_names_labels_that_differ_and_broken_gates() -> None:
    table, of = small_table(), config(FEW)
    analysis = analysis_of(table, of)
    label = of.tasks["delay"].label
    analysis.columns.append(ColumnAnalysis(name=label, type="float", measure="Jensen-Shannon", distance=0.3))
    data = card_markdown(model_card(report_of(table, of), of, analysis, {})).partition("## Data")[2]
    assert f"Train and eval differ most in the label {escaped_markdown(label)} (Jensen-Shannon 0.300)" in data
    assert "Data gates: 1 passed, 1 broken (missing of " in data


def test_text_is_escaped_on_one_line() -> None:
    assert escaped_markdown("a|b\n# *c* <i>") == r"a\|b \# \*c\* &lt;i&gt;"


def test_what_people_wrote_is_kept_and_shown(tmp_path: Path) -> None:
    table, of = small_table(), config(FEW)
    assert read_notes(tmp_path / NOTES_FILE) == {"Intended use": "", "Limits": "", "Notes": ""}
    notes = (tmp_path / NOTES_FILE).read_text().replace("## Limits\n", f"## Limits\n\nNot for **freight**. {HOSTILE}\n")
    (tmp_path / NOTES_FILE).write_text(notes + "\n## Contact\n\nThe team\n")
    for _ in range(2):
        page = write_pages(report_of(table, of), of, analysis_of(table, of), tmp_path, tmp_path)
        card = (tmp_path / CARD_FILE).read_text()
        assert "Not for **freight**." in card.partition("## Limits")[2].partition("## Notes")[0]
        assert "Contact\n\nThe team" in card.partition("## Notes")[2]
        assert "Not for **freight**. &lt;/svg&gt;&lt;script&gt;" in page.read_text()
        assert "<script>window" not in page.read_text()
    assert (tmp_path / NOTES_FILE).read_text() == notes + "\n## Contact\n\nThe team\n"


def test_text_before_the_first_section_is_not_the_cards() -> None:
    assert notes_of("# Title\n\nWhat this is.\n\n## Notes\n\n### Ours\n\nx\n")["Notes"] == "### Ours\n\nx"
