"""Tables as the commands print them."""

from collections.abc import Sequence
from typing import Literal

from rich.markup import escape
from rich.table import Table


def plain_table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=escape(title), title_justify="left", header_style="bold")
    for name in columns:
        justify: Literal["right", "left"] = "right" if name in ("time", "span", "A", "B", "B - A") else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in ("run", "version", "time"))
    return table
