"""Changes values in a configuration's text, whose comments and form stay."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from janus_core.errors import ConfigError
from pipeline.config.file import UniqueKeyLoader, read_yaml
from trainer.config.tune import set_value


def with_values_in(path: Path, values: Mapping[str, Any]) -> str:
    """The text of a configuration's file with other values of some keys, by their dotted paths.

    Raises:
        ConfigError: it has a form, such as an anchor, in which only a person can change it.
    """
    text, wanted = path.read_text(encoding="utf-8"), read_yaml(path)
    for key, value in values.items():
        text = _with_value(text, key.split("."), value)
        set_value(wanted, key, value)
    try:
        same = yaml.load(text, Loader=UniqueKeyLoader) == wanted
    except yaml.YAMLError:
        same = False
    if not same:
        raise ConfigError(f"{path} cannot be changed without losing its form: set {', '.join(values)} by hand")
    return text


def _with_value(text: str, parts: list[str], value: Any) -> str:
    node: Any = yaml.compose(text)
    for depth, part in enumerate(parts):
        found = next((pair for pair in node.value if pair[0].value == part), None)
        if found is None:
            return _with_new_key(text, node, parts[depth:], value)
        key, node = found
        if depth + 1 < len(parts) and not isinstance(node, yaml.MappingNode):
            return _replaced(text, key, node, _nested(parts[depth + 1 :], value))
    return _replaced(text, key, node, value)


def _replaced(text: str, key: Any, node: Any, value: Any) -> str:
    before = text[: key.end_mark.index]
    # A block ends where the next token begins: what is between is not its own.
    old = text[key.end_mark.index : node.end_mark.index]
    return f"{before}: {_flow(value)}{old[len(old.rstrip()) :]}{text[node.end_mark.index :]}"


def _with_new_key(text: str, node: Any, parts: list[str], value: Any) -> str:
    start, entry = node.start_mark.index, f"{parts[0]}: {_flow(_nested(parts[1:], value))}"
    if node.flow_style:
        return f"{text[: start + 1]}{entry}{', ' if node.value else ''}{text[start + 1 :]}"
    return f"{text[:start]}{entry}\n{' ' * node.start_mark.column}{text[start:]}"


def _nested(parts: list[str], value: Any) -> Any:
    for part in reversed(parts):
        value = {part: value}
    return value


def _flow(value: Any) -> str:
    """A value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"))
    return text.removesuffix("...\n").strip()
