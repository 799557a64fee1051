"""The progress of predictions: a bar on a terminal, else a line every few seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

LINE_SECONDS = 10.0
"""Between two lines where there is no terminal."""


@contextmanager
def shown_progress(console: Console, total: float) -> Iterator[Callable[[int, float], None]]:
    """Yields a function to call with the number of rows that are done, and their size as a part of `total`."""
    started = time.monotonic()
    shown = started
    rows, size = 0, 0.0

    def line() -> str:
        seconds = max(time.monotonic() - started, 1e-3)
        left = seconds * (total - size) / size if size else 0.0
        eta = f", {_clock(left)} left" if size and left > 0 else ""
        return f"{rows:,} rows, {rows / seconds:,.0f} rows/s{eta}"

    if console.is_terminal:
        with Progress(
            BarColumn(), TextColumn("{task.description}"), console=console, transient=True, refresh_per_second=4
        ) as progress:
            bar = progress.add_task("", total=max(total, 1.0))

            def advance(more: int, part: float) -> None:
                nonlocal rows, size
                rows, size = rows + more, min(size + part, total)
                progress.update(bar, completed=size, description=line())

            yield advance
        return

    def advance_line(more: int, part: float) -> None:
        nonlocal rows, size, shown
        rows, size = rows + more, min(size + part, total)
        if time.monotonic() - shown >= LINE_SECONDS:
            shown = time.monotonic()
            console.print(line())

    yield advance_line


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
