"""What a run tells to machines: a JSON object on a line of its own for whatever happens (`janus run --json`).

Every object has `event` and `time` (ISO 8601, UTC). The events, in the order in which a run tells them:

- `run_started`: `pipeline`, `run_id`, `folder`.
- `status`: `doing`, what is under way beside the components.
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
from janus_core.progress import EpochStarted, training_event_of
from pipeline.report.report_json import finite
from pipeline.run.progress import LOGGER, event_of


class JsonLines(logging.Handler):
    """Writes events to a stream as they happen."""

    def __init__(self, stream: TextIO):
        super().__init__()
        self._stream = stream

    def status(self, doing: str) -> None:
        """Says what is under way."""
        if doing:
            write_event(self._stream, "status", doing=doing)

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        component, training = event_of(record), training_event_of(record)
        if component is not None:
            write_event(
                self._stream,
                "component",
                component=component.component,
                state=component.state,
                seconds=round(component.seconds, 3),
                cached=component.cached,
                error=readable(component.error) if component.error else None,
            )
        elif isinstance(training, EpochStarted):
            # Its end says the same, and more.
            return
        elif training is not None:
            write_event(
                self._stream,
                "epoch",
                epoch=training.epoch,
                epochs=training.epochs,
                seconds=round(training.seconds, 3),
                remaining_seconds=round(training.remaining_seconds, 3),
                tasks={
                    task: {metric: finite(value) for metric, value in metrics.items()}
                    for task, metrics in training.tasks.items()
                },
            )
        else:
            write_event(self._stream, "message", level=record.levelname.lower(), message=record.getMessage())


@contextmanager
def written_to(stream: TextIO) -> Iterator[JsonLines]:
    """Writes what is told meanwhile through `janus.progress`."""
    handler = JsonLines(stream)
    LOGGER.addHandler(handler)
    try:
        yield handler
    finally:
        LOGGER.removeHandler(handler)


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
