"""Events of a running pipeline, which the logger `janus.progress` logs."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

PROGRESS = logging.getLogger("janus.progress")
PROGRESS.setLevel(logging.INFO)
_EVENT = "progress_event"


@dataclass(frozen=True)
class ComponentEvent:
    """A component of the pipeline started or ended.

    Attributes:
        component: its id.
        state: `running` when it starts, else how it ended.
        seconds: it took.
        cached: whether its outputs came from the cache.
        error: what it failed of.
        beside: whether it runs beside other components, rather than between them.
    """

    component: str
    state: Literal["running", "complete", "failed", "interrupted"]
    seconds: float = 0.0
    cached: bool = False
    error: BaseException | None = None
    beside: bool = False

    def __str__(self) -> str:
        if self.state == "running":
            return f"{self.component} started"
        return f"{self.component} {'cached' if self.cached else self.state} after {self.seconds:.1f} s"


@dataclass(frozen=True)
class EpochStarted:
    """An epoch begins.

    Attributes:
        epoch, epochs: from 1; all that the configuration asks for.
        share_done: of the epoch's steps at the time of the call, 0 to 1; None where that cannot be read cheaply.
        seconds_per_epoch: the mean of those before it in this process; None for the first.
    """

    epoch: int
    epochs: int
    share_done: Callable[[], float] | None
    seconds_per_epoch: float | None

    def __str__(self) -> str:
        return f"epoch {self.epoch}/{self.epochs} started"


@dataclass(frozen=True)
class EpochEnded:
    """An epoch has ended.

    Attributes:
        epoch, epochs: from 1; all that the configuration asks for.
        seconds: it took.
        remaining_seconds: of the epochs that are left, unless early stopping leaves some of them out.
        tasks: each task's validation `loss` and headline metric.
    """

    epoch: int
    epochs: int
    seconds: float
    remaining_seconds: float
    tasks: Mapping[str, Mapping[str, float]]

    def __str__(self) -> str:
        figures = []
        for task, metrics in self.tasks.items():
            values = ", ".join(
                f"{name} {value:.4f}" if name == "loss" else f"{name} {value:.4g}" for name, value in metrics.items()
            )
            figures.append(f"{task}: {values}")
        left = f"  {readable_seconds(self.remaining_seconds)} left" if self.epoch < self.epochs else ""
        return f"epoch {self.epoch}/{self.epochs}  {self.seconds:.1f} s  {'  '.join(figures)}{left}"


@dataclass(frozen=True)
class ModelPushed:
    """A version has appeared in the folder of pushed models, whatever happens to the run after it.

    Attributes:
        destination: the version's folder.
    """

    destination: str

    def __str__(self) -> str:
        return f"pushed to {self.destination}"


Event = ComponentEvent | EpochStarted | EpochEnded | ModelPushed


def announce(event: Event) -> None:
    """Logs an event, for the handlers of `janus.progress`."""
    error = event.error if isinstance(event, ComponentEvent) else None
    PROGRESS.log(logging.ERROR if error else logging.INFO, "%s", event, exc_info=error, extra={_EVENT: event})


@contextmanager
def listening(*handlers: logging.Handler) -> Iterator[None]:
    """Hands the events and messages of `janus.progress` to handlers, in this order."""
    for handler in handlers:
        PROGRESS.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            PROGRESS.removeHandler(handler)


def event_of(record: logging.LogRecord) -> Event | None:
    """The event that a log record carries, if it does."""
    return getattr(record, _EVENT, None)


def readable_seconds(seconds: float) -> str:
    """`45 s`, `12 min`, `3.2 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
