"""The reference of a key, for the terminal."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.config.keys import ANY, Key, Variant, children_of


def explanation(chosen: Sequence[Key], keys: Sequence[Key]) -> Group:
    """The reference of a key, and the keys in it; `chosen` are several if its meaning depends on the section's kind."""
    parts: list[Text | Table] = []
    for key in chosen:
        parts += [*_of_key(key), Text("")]
        entries = [entry for entry in keys if entry.path == f"{key.path}.{ANY}"]
        variants = [variant for entry in (key, *entries) for variant in entry.variants]
        if variants:
            parts += [_of_variants(variants), Text("")]
    below = children_of(chosen[0].path, keys)
    if below and below[0].name != ANY:
        parts += [_of_children(below), Text("")]
    return Group(*parts[:-1])


def overview(keys: Sequence[Key]) -> Table:
    """The keys of the first level."""
    return _of_children([key for key in keys if not key.parent])


def _of_key(key: Key) -> list[Text | Table]:
    title = Text(key.path, style="bold")
    if key.kinds:
        title.append(f"  only with {', '.join(key.kinds)}", style="dim")
    facts = Table.grid(padding=(0, 2))
    for label, value in (
        ("type", key.type),
        ("allowed", key.allowed),
        ("default", "" if key.name == ANY else _default(key)),
    ):
        if value:
            facts.add_row(Text(f"  {label}", style="dim"), Text(value))
    return [title, *([Text(f"  {key.description}")] if key.description else []), facts]


def _of_variants(variants: Sequence[Variant]) -> Table:
    table = Table.grid(padding=(0, 2))
    for variant in variants:
        table.add_row(Text(f"  {variant.choice}", no_wrap=True), Text(variant.purpose))
    return table


def _of_children(keys: Sequence[Key]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    with_kinds = any(key.kinds for key in keys)
    table.add_column("  key", no_wrap=True)
    if with_kinds:
        table.add_column("only with")
    for title in ("type", "default", ""):
        table.add_column(title)
    for key in keys:
        cells = [Text(f"  {key.name}"), *([Text(", ".join(key.kinds))] if with_kinds else [])]
        table.add_row(*cells, Text(_type(key)), Text(_default(key)), Text(key.description))
    return table


def _default(key: Key) -> str:
    return "required" if key.default is None else key.default


def _type(key: Key) -> str:
    # A pattern would take up the table's width; the key's own page has it.
    return f"{key.type}: {key.allowed}" if key.allowed and "matches" not in key.allowed else key.type
