"""Shows the events of a running pipeline on the terminal."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from janus_core.progress import ComponentEvent, EpochStarted, ModelPushed, event_of, listening, readable_seconds

_NAME_WIDTH = 18


class Display(logging.Handler):
    """One line per component that has ended; on a terminal also a line for what is running, with a clock."""

    def __init__(self, console: Console):
        super().__init__()
        self._console = console
        self._doing = ""
        self._since = time.monotonic()
        self._beside: dict[str, float] = {}
        self._epoch: EpochStarted | None = None
        self._epoch_since = time.monotonic()

    def status(self, doing: str) -> None:
        """Sets what is running."""
        self._doing, self._since, self._epoch = doing, time.monotonic(), None

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if isinstance(event, EpochStarted):
            self._epoch, self._epoch_since = event, time.monotonic()
        elif isinstance(event, ModelPushed):
            # The result says so at the end.
            return
        elif not isinstance(event, ComponentEvent):
            self._epoch = None if event else self._epoch
            self._console.print(Text(f"  {record.getMessage()}", style="dim"))
        elif event.state != "running":
            self._console.print(component_line(event))
            if self._beside.pop(event.component, None) is None:
                self.status("")
        elif event.beside:
            self._beside[event.component] = time.monotonic()
        else:
            self.status(event.component)

    def running_line(self) -> Text:
        """The line of what is running."""
        running = {self._doing: self._since} if self._doing else self._beside
        if not running:
            return Text("")
        doing, since = next(iter(running.items()))
        line = f"{doing:<{_NAME_WIDTH}} {time.monotonic() - since:7.1f} s …"
        if self._epoch:
            line += f"  {_epoch_so_far(self._epoch, time.monotonic() - self._epoch_since)}"
        return Text(line, style="cyan", overflow="ellipsis", no_wrap=True)


def _epoch_so_far(epoch: EpochStarted, seconds: float) -> str:
    """`epoch 2/5, 40 %, 12 s left`: of all epochs, by the pace of those that ended, else by this one's."""
    line, per_epoch = f"epoch {epoch.epoch}/{epoch.epochs}", epoch.seconds_per_epoch
    if epoch.share_done:
        share = epoch.share_done()
        line += f", {share:.0%}"
        # The first steps wait for the graph to be compiled: they say nothing of the pace.
        if per_epoch is None and share >= 0.1:
            per_epoch = seconds / share
    if per_epoch is not None:
        left = per_epoch * (epoch.epochs - epoch.epoch + 1) - seconds
        line += f", {readable_seconds(max(left, 1.0))} left"
    return line


def component_line(event: ComponentEvent) -> Text:
    """The line of a component that has ended."""
    marks = {"complete": ("✓", "green"), "failed": ("✗", "red"), "interrupted": ("✗", "yellow")}
    mark, style = marks[event.state]
    line = Text(f"{event.component:<{_NAME_WIDTH}} {event.seconds:7.1f} s  ")
    line.append(mark, style=style)
    if event.cached:
        line.append(" cached", style="dim")
    elif event.state != "complete":
        line.append(f" {event.state}", style=style)
    return line


@contextmanager
def shown_on(console: Console) -> Iterator[Display]:
    """Shows the events that are announced meanwhile."""
    display = Display(console)
    line: AbstractContextManager[Any] = nullcontext()
    if console.is_terminal:
        line = Live(
            console=console,
            get_renderable=display.running_line,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
    with listening(display), line:
        yield display


def console_on(stream: TextIO) -> Console:
    """A console as wide as the stream's terminal; wide enough for any table where it is none, or does not know."""
    columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    return Console(file=stream, width=columns or 120, highlight=False)
