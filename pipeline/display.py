"""Shows on the terminal what a running pipeline tells through `janus.progress`."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.progress import LOGGER, ComponentEvent, event_of

_NAME_WIDTH = 18


class Display(logging.Handler):
    """One line per component that has ended; on a terminal also a line for what is under way, with a running clock."""

    def __init__(self, console: Console):
        super().__init__()
        self._console = console
        self._doing = ""
        self._since = time.monotonic()

    def status(self, doing: str) -> None:
        """Says what is under way."""
        self._doing, self._since = doing, time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if event is None:
            self._console.print(Text(f"  {record.getMessage()}", style="dim"))
        elif event.state == "running":
            self.status(event.component)
        else:
            self._console.print(component_line(event))
            self.status("")

    def running_line(self) -> Text:
        """The line of what is under way."""
        if not self._doing:
            return Text("")
        return Text(f"{self._doing:<{_NAME_WIDTH}} {time.monotonic() - self._since:7.1f} s …", style="cyan")


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
    """Shows the events that are told meanwhile."""
    display = Display(console)
    LOGGER.addHandler(display)
    try:
        if console.is_terminal:
            with Live(
                console=console,
                get_renderable=display.running_line,
                refresh_per_second=4,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            ):
                yield display
        else:
            yield display
    finally:
        LOGGER.removeHandler(display)


def console_on(stream: TextIO) -> Console:
    """A console on a stream, as wide as its terminal, or wide enough for any table where it is none."""
    if stream.isatty():
        return Console(file=stream, width=os.get_terminal_size(stream.fileno()).columns, highlight=False)
    return Console(file=stream, width=120, highlight=False)
