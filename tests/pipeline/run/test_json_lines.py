"""The events of a run, a JSON object per line."""

import io
import json
import logging
from datetime import datetime
from typing import Any

from janus_core.progress import PROGRESS, ComponentEvent, EpochEnded, EpochStarted, announce
from pipeline.run.json_lines import write_end, written_to


def events_of(*actions: Any) -> list[dict[str, Any]]:
    stream = io.StringIO()
    with written_to(stream):
        for action in actions:
            action()
    announce(ComponentEvent("Pusher", "complete"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    for line in lines:
        assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    return lines


def test_a_component_has_an_event_at_its_start_and_end() -> None:
    error = ValueError("no\nand more")
    assert events_of(
        lambda: announce(ComponentEvent("Trainer", "running")),
        lambda: announce(ComponentEvent("Trainer", "failed", 61.00049, error=error)),
    ) == [
        {
            "event": "component",
            "component": "Trainer",
            "state": "running",
            "seconds": 0.0,
            "cached": False,
            "error": None,
        },
        {
            "event": "component",
            "component": "Trainer",
            "state": "failed",
            "seconds": 61.0,
            "cached": False,
            "error": "ValueError: no",
        },
    ]


def test_an_epoch_is_one_event() -> None:
    figures = {"late": {"loss": 0.5, "auc": float("nan")}}
    assert events_of(
        lambda: announce(EpochStarted(1, 5, None, None)),
        lambda: announce(EpochEnded(1, 5, 2.0, 8.0, figures)),
    ) == [
        {
            "event": "epoch",
            "epoch": 1,
            "epochs": 5,
            "seconds": 2.0,
            "remaining_seconds": 8.0,
            "tasks": {"late": {"loss": 0.5, "auc": None}},
        }
    ]


def test_whatever_else_is_said_is_a_message() -> None:
    events = events_of(
        lambda: PROGRESS.info("training on %d rows", 90),
        lambda: PROGRESS.log(logging.WARNING, "über\nzwei Zeilen"),
    )
    assert [(line["event"], line["level"], line["message"]) for line in events] == [
        ("message", "info", "training on 90 rows"),
        ("message", "warning", "über\nzwei Zeilen"),
    ]


def test_the_status_between_components_is_an_event() -> None:
    stream = io.StringIO()
    with written_to(stream) as lines:
        lines.status("checking")
        lines.status("")
    assert [json.loads(line)["doing"] for line in stream.getvalue().splitlines()] == ["checking"]


def test_the_end_names_what_there_is() -> None:
    stream = io.StringIO()
    write_end(stream, 2, ["features.x: unknown"])
    line = json.loads(stream.getvalue())
    line.pop("time")
    assert line == {
        "event": "run_ended",
        "exit_code": 2,
        "problems": ["features.x: unknown"],
        "warnings": [],
        "pushed": None,
        "report": None,
    }
