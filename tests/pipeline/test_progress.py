"""Events of components, and how they are shown and kept."""

import io
import logging

import pytest
from rich.console import Console

from pipeline.display import console_on, shown_on
from pipeline.interruption import Interruption
from pipeline.progress import LOGGER, ComponentEvent, RunRecord, announce
from pipeline.session import recorded


def tell() -> None:
    """A run that fails in its third component."""
    announce(ComponentEvent("ExampleGen", "running"))
    announce(ComponentEvent("ExampleGen", "complete", 4.14))
    announce(ComponentEvent("Transform", "running"))
    announce(ComponentEvent("Transform", "complete", 0.1, cached=True))
    announce(ComponentEvent("Trainer", "running"))
    LOGGER.info("epoch %d/%d", 1, 5, extra={"event": "epoch"})
    announce(ComponentEvent("Trainer", "failed", 61.0, error=ValueError("no")))


def test_a_file_gets_plain_lines() -> None:
    stream = io.StringIO()
    with shown_on(console_on(stream)):
        tell()
    announce(ComponentEvent("Pusher", "complete"))
    assert stream.getvalue().splitlines() == [
        "ExampleGen             4.1 s  ✓",
        "Transform              0.1 s  ✓ cached",
        "  epoch 1/5",
        "Trainer               61.0 s  ✗ failed",
    ]


def test_a_terminal_gets_a_line_for_what_is_under_way() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80)
    with shown_on(console) as display:
        assert display.running_line().plain == ""
        announce(ComponentEvent("Trainer", "running"))
        assert display.running_line().plain.startswith("Trainer                0.0 s")
        announce(ComponentEvent("Trainer", "complete", 1.0))
        assert display.running_line().plain == ""
    assert "Trainer                1.0 s" in stream.getvalue()


def test_a_record_keeps_the_first_failure_itself() -> None:
    record = RunRecord()
    with recorded(record, Interruption()):
        tell()
        announce(ComponentEvent("Evaluator", "failed", error=RuntimeError("later")))
    announce(ComponentEvent("Pusher", "complete"))
    assert [(name, event.state, event.cached) for name, event in record.components.items()] == [
        ("ExampleGen", "complete", False),
        ("Transform", "complete", True),
        ("Trainer", "failed", False),
        ("Evaluator", "failed", False),
    ]
    assert record.failure is not None
    assert record.failure.component == "Trainer"
    assert isinstance(record.failure.error, ValueError)


def test_failures_reach_the_log_with_their_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=LOGGER.name):
        tell()
    assert "Trainer failed after 61.0 s" in caplog.text
    assert "ValueError: no" in caplog.text
