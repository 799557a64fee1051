"""What a running pipeline tells: one event per component that starts or ends, through the logger `janus.progress`."""

import logging
from dataclasses import dataclass, field
from typing import Literal

State = Literal["running", "complete", "failed", "interrupted"]

LOGGER = logging.getLogger("janus.progress")
LOGGER.setLevel(logging.INFO)
_EVENT = "component_event"


@dataclass(frozen=True)
class ComponentEvent:
    """A component started or ended."""

    component: str
    state: State
    seconds: float = 0.0
    cached: bool = False
    error: BaseException | None = None

    def __str__(self) -> str:
        if self.state == "running":
            return f"{self.component} started"
        how = "cached" if self.cached else self.state
        return f"{self.component} {how} after {self.seconds:.1f} s"


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
        """Takes note of an event; the first failure is the one that counts."""
        self.components[event.component] = event
        if event.state == "failed" and self.failure is None and event.error is not None:
            self.failure = Failure(event.component, event.error)


class Recorder(logging.Handler):
    """Collects the events into a `RunRecord`."""

    def __init__(self, record: RunRecord):
        super().__init__()
        self._record = record

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if event is not None:
            self._record.add(event)


def announce(event: ComponentEvent) -> None:
    """Tells whoever listens to `janus.progress`."""
    LOGGER.log(
        logging.ERROR if event.state == "failed" else logging.INFO,
        "%s",
        event,
        exc_info=event.error,
        extra={_EVENT: event},
    )


def event_of(record: logging.LogRecord) -> ComponentEvent | None:
    """The event that a log record carries, if it does."""
    return getattr(record, _EVENT, None)
