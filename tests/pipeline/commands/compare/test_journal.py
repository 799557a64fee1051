"""Trainings that are done are found again; a line that a kill cut off is not."""

from pathlib import Path

from pipeline.commands.compare.journal import Journal
from tests.pipeline.commands.compare.comparisons import trainings

FIRST, SECOND = trainings([0.8, 0.9], [10.0, None])


def test_what_was_added_is_found_in_the_next_process(tmp_path: Path) -> None:
    Journal(tmp_path / "new" / "journal.jsonl").add(FIRST)
    again = Journal(tmp_path / "new" / "journal.jsonl")
    assert again.find(FIRST.key) == FIRST
    assert again.find(SECOND.key) is None


def test_a_cut_line_costs_that_training_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(FIRST.model_dump_json() + "\n" + SECOND.model_dump_json()[:30])
    journal = Journal(path)
    assert journal.find(FIRST.key) == FIRST
    journal.add(SECOND)
    again = Journal(path)
    assert (again.find(FIRST.key), again.find(SECOND.key)) == (FIRST, SECOND)
