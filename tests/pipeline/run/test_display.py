"""Events of components, and how they are shown and kept."""

import io
import logging
import os
import pty
import re

import pytest
from rich.console import Console

from janus_core.progress import PROGRESS, ComponentEvent, EpochEnded, EpochStarted, announce, listening
from pipeline.run.display import console_on, shown_on
from pipeline.run.interruption import Interruption
from pipeline.run.record import RunRecord


def announce_failure() -> None:
    """A run that fails in its third component."""
    announce(ComponentEvent("ExampleGen", "running"))
    announce(ComponentEvent("ExampleGen", "complete", 4.14))
    announce(ComponentEvent("Transform", "running"))
    announce(ComponentEvent("Transform", "complete", 0.1, cached=True))
    announce(ComponentEvent("Trainer", "running"))
    PROGRESS.info("training on %d rows", 90)
    announce(ComponentEvent("Trainer", "failed", 61.0, error=ValueError("no")))


def test_a_file_gets_plain_lines() -> None:
    stream = io.StringIO()
    with shown_on(console_on(stream)):
        announce_failure()
    announce(ComponentEvent("Pusher", "complete"))
    assert stream.getvalue().splitlines() == [
        "ExampleGen             4.1 s  ✓",
        "Transform              0.1 s  ✓ cached",
        "  training on 90 rows",
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


def test_the_line_of_what_is_under_way_shows_how_far_the_training_is() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    done = 0.0
    with shown_on(console) as display:
        announce(ComponentEvent("Trainer", "running"))
        announce(EpochStarted(1, 4, lambda: done, None))
        assert display.running_line().plain.endswith("…  epoch 1/4, 0%")
        done = 0.25
        assert re.search(r"…  epoch 1/4, 25%, 1 s left$", display.running_line().plain)
        announce(EpochStarted(3, 4, lambda: done, 30.0))
        assert display.running_line().plain.endswith("epoch 3/4, 25%, 60 s left")
        announce(EpochStarted(4, 4, None, 600.0))
        assert display.running_line().plain.endswith("epoch 4/4, 10 min left")
        announce(EpochEnded(4, 4, 600.0, 0.0, {}))
        assert display.running_line().plain.endswith(" s …")
        announce(ComponentEvent("Trainer", "complete", 1.0))
        announce(ComponentEvent("Evaluator", "running"))
        assert display.running_line().plain.endswith(" s …")


def test_a_terminal_that_does_not_know_its_width_is_wide_enough() -> None:
    controller, terminal = pty.openpty()
    try:
        with os.fdopen(terminal, "w") as stream:
            assert os.get_terminal_size(stream.fileno()).columns == 0
            assert console_on(stream).width == 120
    finally:
        os.close(controller)


def test_an_epoch_is_a_line_with_each_tasks_figures() -> None:
    stream = io.StringIO()
    with shown_on(console_on(stream)):
        announce(EpochStarted(1, 2, None, None))
        announce(EpochEnded(1, 2, 4.0, 4.0, {"late": {"loss": 0.5, "auc": 0.75}, "by": {"loss": 1, "mae": 21.28}}))
        announce(EpochEnded(2, 2, 4.0, 0.0, {"late": {"loss": 0.4, "auc": 0.76}}))
    assert stream.getvalue().splitlines() == [
        "  epoch 1/2  4.0 s  late: loss 0.5000, auc 0.75  by: loss 1.0000, mae 21.28  4 s left",
        "  epoch 2/2  4.0 s  late: loss 0.4000, auc 0.76",
    ]


def test_a_record_keeps_the_first_failure_itself() -> None:
    record = RunRecord()
    with listening(Interruption(), record):
        announce_failure()
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
    with caplog.at_level(logging.INFO, logger=PROGRESS.name):
        announce_failure()
    assert "Trainer failed after 61.0 s" in caplog.text
    assert "ValueError: no" in caplog.text
