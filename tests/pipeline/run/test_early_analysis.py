"""When the analysis starts, and how it ends."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from janus_core.progress import ComponentEvent, announce, listening
from pipeline.home import Home
from pipeline.report.analysis import analyse
from pipeline.report.analysis.analysis_json import Analysis
from pipeline.run.early_analysis import EarlyAnalysis
from tests.pipeline.small import small_config

MADE = Analysis(key="made")
Progress = Callable[[str], None]


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The executions of each analysis that starts; each returns `MADE`."""
    seen: list[Any] = []
    monkeypatch.setattr("pipeline.lineage.store.open_store", lambda database: database)
    monkeypatch.setattr("pipeline.lineage.store.executions_of_run", lambda store, run_id: run_id)
    monkeypatch.setattr(analyse, "analyse_artifacts", lambda _, executions, *rest: seen.append(executions) or MADE)
    return seen


def early(folder: Path, **changed: Any) -> EarlyAnalysis:
    return EarlyAnalysis(small_config(folder, **changed), Home("small"), "a run")


def ended(handler: EarlyAnalysis, *components: str) -> Analysis | None:
    with listening(handler):
        for component in components:
            announce(ComponentEvent(component, "running"))
            announce(ComponentEvent(component, "complete", 1.0))
    return handler.result(lambda doing: None)


def test_it_starts_when_all_that_it_reads_has_ended(folder: Path, analysed: list[Any]) -> None:
    handler = early(folder)
    assert ended(handler, "Transform", "Trainer", "Evaluator") is None
    assert analysed == []
    assert ended(handler, "Baselines") is MADE
    assert ended(handler, "ServingCheck", "Pusher") is MADE
    assert analysed == ["a run"]


def test_it_does_not_wait_for_baselines_that_are_not_made(folder: Path, analysed: list[Any]) -> None:
    assert ended(early(folder, report={"baselines": []}), "Evaluator") is MADE


def test_it_does_not_disturb_a_latency_that_is_limited(folder: Path, analysed: list[Any]) -> None:
    serving = {"latency": {"batch_1_p99_ms": 5.0}}
    assert ended(early(folder, serving=serving), "Baselines", "Evaluator") is None
    assert analysed == []


def test_it_ends_when_the_run_does(folder: Path, analysed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    entered, handler = threading.Event(), early(folder)

    def endless(config: Any, executions: Any, earlier: Any, progress: Progress) -> Analysis:
        while True:
            entered.set()
            progress("importance")

    monkeypatch.setattr(analyse, "analyse_artifacts", endless)
    with listening(handler):
        announce(ComponentEvent("Baselines", "failed", 1.0, beside=True))
        announce(ComponentEvent("Evaluator", "complete", 1.0))
    assert entered.wait(60)
    handler.stop()
    assert handler.result(lambda doing: None) is None


def test_a_database_that_cannot_be_read_ends_no_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(database: Path) -> None:
        raise OSError("database is locked")

    monkeypatch.setattr("pipeline.lineage.store.open_store", locked)
    assert ended(early(folder), "Baselines", "Evaluator") is None
