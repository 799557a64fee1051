"""Results of commands, as JSON or as a person reads them."""

import sys
from collections.abc import Callable, Collection, Sequence
from typing import TextIO, TypeVar

from pydantic import BaseModel
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from pipeline.run.display import console_on

Result = TypeVar("Result", bound=BaseModel)


def print_result(
    result: Result, as_json: bool, view: Callable[[Result], RenderableType], stream: TextIO | None = None
) -> int:
    """Prints a command's result, as JSON or by `view`, to stdout or a stream; returns the exit code of success."""
    if as_json:
        print(result.model_dump_json(indent=2), file=stream)
    else:
        console_on(stream or sys.stdout).print(view(result))
    return 0


def plain_table(
    title: str, columns: Sequence[str], right: Collection[str] = (), no_wrap: Collection[str] = ()
) -> Table:
    """An empty table; the columns `right` are aligned to the right, the cells of `no_wrap` stay on one line."""
    table = Table(title=escape(title), title_justify="left", header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold", no_wrap=name in no_wrap)
    return table
