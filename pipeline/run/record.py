"""What happened in a run: the events of its components, the first failure, and the push."""

import logging
from dataclasses import dataclass

from janus_core.progress import ComponentEvent, ModelPushed, event_of


@dataclass
class Failure:
    """The component that ended a run, and why."""

    component: str
    error: BaseException


class RunRecord(logging.Handler):
    """The last event of each component, in order, the first failure, the warnings, and the version that was pushed."""

    def __init__(self) -> None:
        super().__init__()
        self.components: dict[str, ComponentEvent] = {}
        self.failure: Failure | None = None
        self.warnings: list[str] = []
        self.pushed: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if isinstance(event, ModelPushed):
            self.pushed = event.destination
        if isinstance(event, ComponentEvent):
            self.components[event.component] = event
            if event.state == "failed" and self.failure is None and event.error is not None:
                self.failure = Failure(event.component, event.error)
        elif record.levelno == logging.WARNING:
            self.warnings.append(record.getMessage())
