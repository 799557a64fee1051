"""A model that starts from the last blessed one, through the whole pipeline: two tables, one after the other."""

import logging
from pathlib import Path

import pytest

from janus_core.progress import listening
from pipeline.dag import Places, create_pipeline
from pipeline.run.interruption import Interruption
from pipeline.run.record import RunRecord
from pipeline.run.runner import run_on_beam
from tests.pipeline.small import small_config, write_table

pytestmark = [pytest.mark.slow, pytest.mark.very_slow]


def run(folder: Path, run_id: str, caplog: pytest.LogCaptureFixture) -> tuple[set[str], list[str]]:
    """The components that worked, and what was logged of the warm start."""
    config = small_config(folder, training={"epochs": 1, "batch_size": 32, "warm_start": True})
    places = Places(
        str(folder / "root"), str(folder / "metadata.db"), folder / "schemas", checkpoints=None, analyzer_cache=None
    )
    record = RunRecord()
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="janus.progress"), listening(Interruption(), record):
        run_on_beam(create_pipeline(config, places), run_id)
    worked = {name for name, event in record.components.items() if not event.cached}
    return worked, [line for line in caplog.messages if line.startswith("warm start")]


def test_it_starts_from_the_model_before_these_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Whoever edits the trainer while this runs should not see it trained again.
    monkeypatch.setattr("pipeline.dag.source_fingerprint", lambda *paths: "unedited")
    table = write_table(tmp_path)
    _, logged = run(tmp_path, "first", caplog)
    assert logged == ["warm start: no model was blessed before these examples were made; starting as usual"]
    worked, logged = run(tmp_path, "same again", caplog)
    assert (worked, logged) == (set(), [])
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([*lines, *(["130,C,no,5"] * 20)]) + "\n", encoding="utf-8")
    worked, logged = run(tmp_path, "more rows", caplog)
    assert "Trainer" in worked
    (line,) = logged
    assert "carrier: 2 of 3 values known" in line
    assert "starting as usual" not in line
    worked, logged = run(tmp_path, "more rows again", caplog)
    assert (worked, logged) == (set(), [])
