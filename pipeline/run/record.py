"""What happened in a run: the events of its components, and the first failure."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from janus_core.progress import ComponentEvent, event_of, listening
from pipeline.run.interruption import Interruption


@dataclass
class Failure:
    """The component that ended a run, and why."""

    component: str
    error: BaseException


@dataclass
class RunRecord:
    """What happened in a run, in order."""

    components: dict[str, ComponentEvent] = field(default_factory=dict)
    failure: Failure | None = None

    def add(self, event: ComponentEvent) -> None:
        """Adds an event; of several failures the first is kept."""
        self.components[event.component] = event
        if event.state == "failed" and self.failure is None and event.error is not None:
            self.failure = Failure(event.component, event.error)


class Recorder(logging.Handler):
    """Collects the events of components in a `RunRecord`."""

    def __init__(self, record: RunRecord):
        super().__init__()
        self._record = record

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if isinstance(event, ComponentEvent):
            self._record.add(event)


@contextmanager
def recorded(record: RunRecord, interruption: Interruption) -> Iterator[None]:
    """Adds what happens to the record, and starts no component after an interruption."""
    with listening(interruption, Recorder(record)):
        yield
