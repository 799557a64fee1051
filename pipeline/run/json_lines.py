"""The events of a run for machines: a JSON object on a line of its own for each (`janus run --json`).

Every object has `event` and `time` (ISO 8601, UTC). The events, in the order in which they are written:

- `run_started`: `pipeline`, `run_id`, `folder`.
- `status`: `doing`, what is running between the components.
- `component`: `component`, `state` (`running`, `complete`, `failed`, `interrupted`), `seconds`, `cached`, `error`.
- `epoch`: `epoch`, `epochs`, `seconds`, `remaining_seconds`, `tasks` with each one's validation `loss` and metric.
- `message`: `level`, `message`.
- `run_ended`: `exit_code`, `pushed`, `problems`, `warnings`, `report` (the path of report.json). It is the last line of
  any run, also of one that was refused; then `report` is null.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from janus_core.errors import readable
from janus_core.progress import ComponentEvent, EpochEnded, event_of, listening
from pipeline.report.report_json import finite


class JsonLines(logging.Handler):
    """Writes events to a stream as they happen."""

    def __init__(self, stream: TextIO):
        super().__init__()
        self._stream = stream

    def status(self, doing: str) -> None:
        """Writes what is running."""
        if doing:
            write_event(self._stream, "status", doing=doing)

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if isinstance(event, ComponentEvent):
            write_event(
                self._stream,
                "component",
                component=event.component,
                state=event.state,
                seconds=round(event.seconds, 3),
                cached=event.cached,
                error=readable(event.error) if event.error else None,
            )
        elif isinstance(event, EpochEnded):
            write_event(
                self._stream,
                "epoch",
                epoch=event.epoch,
                epochs=event.epochs,
                seconds=round(event.seconds, 3),
                remaining_seconds=round(event.remaining_seconds, 3),
                tasks={
                    task: {metric: finite(value) for metric, value in metrics.items()}
                    for task, metrics in event.tasks.items()
                },
            )
        elif event is None:
            write_event(self._stream, "message", level=record.levelname.lower(), message=record.getMessage())


@contextmanager
def written_to(stream: TextIO) -> Iterator[JsonLines]:
    """Writes the events that are announced meanwhile."""
    handler = JsonLines(stream)
    with listening(handler):
        yield handler


def write_event(stream: TextIO, event: str, **values: Any) -> None:
    """Writes one line, at once."""
    line = {"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **values}
    stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
    stream.flush()


def write_end(
    stream: TextIO,
    exit_code: int,
    problems: Sequence[str] = (),
    pushed: str | None = None,
    report: Path | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Writes the last line of a run."""
    write_event(
        stream,
        "run_ended",
        exit_code=exit_code,
        pushed=pushed,
        problems=list(problems),
        warnings=list(warnings),
        report=str(report) if report else None,
    )
