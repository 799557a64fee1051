"""Reads a configuration file, applies overrides, and explains what is wrong with it."""

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from janus_core.errors import ConfigError
from pipeline.config import JanusConfig
from pipeline.config.keys import Key, json_schema, keys_of, place_of
from pipeline.config.parameters import parameter_problems
from pipeline.config.secrets import secret_problems
from pipeline.config.tune import tune_problems

_UNUSABLE = re.compile("[\0\ud800-\udfff]")


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, but a key given twice is an error, not silently the last one."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Refuses text that no file, path or library takes."""
        if isinstance(node.value, str) and _UNUSABLE.search(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "text cannot have a NUL or half of a surrogate pair", node.start_mark
            )
        return super().construct_scalar(node)


def _construct_mapping(loader: UniqueKeyLoader, node: yaml.MappingNode) -> dict:
    loader.flatten_mapping(node)
    mapping: dict = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        # All keys here are texts: `NO`, `on` or `null` is a name, not what YAML makes of it.
        if isinstance(key_node, yaml.ScalarNode) and not isinstance(key, str):
            key = key_node.value
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a text, not a list or a mapping", key_node.start_mark
            )
        if key in mapping:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} is given twice in one mapping", key_node.start_mark
            )
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> JanusConfig:
    """Reads and validates a YAML file.

    Args:
        path: the file.
        overrides: `key.path=value` strings; the value is read as YAML.

    Raises:
        ConfigError: the file is missing or no valid configuration; the message names every wrong key.
    """
    raw = read_yaml(Path(path))
    for override in overrides:
        _apply_override(raw, override)
    return parse_config(raw, source=str(path))


def with_overrides(config: JanusConfig, overrides: Sequence[str], source: str) -> JanusConfig:
    """A configuration with other values; see `load_config`.

    Raises:
        ConfigError: it is not valid with them.
    """
    raw = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    for override in overrides:
        _apply_override(raw, override)
    return parse_config(raw, source)


def parse_config(raw: dict[str, Any], source: str = "configuration") -> JanusConfig:
    """Validates an already loaded mapping; see `load_config`."""
    # First, since the other messages repeat values.
    if secrets := secret_problems(raw):
        raise ConfigError("\n".join([f"{source} holds secrets:", *(f"  {problem}" for problem in secrets)]))
    try:
        config = JanusConfig.model_validate(raw)
        keys = keys_of(JanusConfig)
        lines = [] if config.tune is None else list(tune_problems(config.tune, raw, keys, _problems_of))
        lines += [] if config.kubeflow is None else parameter_problems(config.kubeflow.parameters, raw, keys)
    except ValidationError as error:
        lines = _explained(error)
    if lines:
        raise ConfigError("\n".join([f"{source} is not a valid configuration:", *(f"  {x}" for x in lines)]))
    return config


def _problems_of(raw: dict[str, Any]) -> list[str]:
    try:
        JanusConfig.model_validate(raw)
    except ValidationError as error:
        return _explained(error)
    return []


def config_json_schema() -> str:
    """The configuration's JSON Schema (draft 2020-12), as text."""
    return json.dumps(json_schema(JanusConfig), indent=2)


def read_yaml(path: Path) -> dict[str, Any]:
    """A file's mapping.

    Raises:
        ConfigError: there is none, or it is no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.yaml")], n=1)
        hint = f" Did you mean {path.parent / near[0]}?" if near else ""
        raise ConfigError(f"no configuration file {path}.{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    raw = _parse_yaml(text, f"{path} is")
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold a mapping of keys; it holds {type(raw).__name__}")
    return raw


def _parse_yaml(text: str, which: str) -> Any:
    """The value of a text; `which` is the beginning of the error's message, `FILE is`."""
    try:
        return yaml.load(text, Loader=UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{which} not valid YAML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{which} not valid YAML: it is nested too deeply") from error
    except (ValueError, AttributeError, TypeError, LookupError, ArithmeticError) as error:
        # PyYAML takes 2024-02-30 for a date, and `!!int x` for a number, and fails in whatever way Python's types do.
        raise ConfigError(
            f"{which} not valid YAML: a value is not of the type that it has the form or the tag of ({error}); "
            "text, such as 2024-02-30, needs quotes"
        ) from error


def _apply_override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {override}: expected key.path=value")
    value = _parse_yaml(text, f"--set {override}: the value is")
    node: Any = raw
    for depth, part in enumerate(parts[:-1]):
        place: Any = part
        if isinstance(node, list):
            place = _index(node, part, override)
        elif node.get(part) is None:
            node[part] = {}
        node = node[place]
        if not isinstance(node, (dict, list)):
            raise ConfigError(f"--set {override}: {'.'.join(parts[: depth + 1])} is a value, it has no keys")
    node[_index(node, parts[-1], override) if isinstance(node, list) else parts[-1]] = value


def _index(node: list, part: str, override: str) -> int:
    if not (part.isascii() and part.isdigit()) or int(part) >= len(node):
        raise ConfigError(f"--set {override}: '{part}' is no index of a list of {len(node)}")
    return int(part)


def _explained(error: ValidationError) -> list[str]:
    keys = keys_of(JanusConfig)
    return [_explain(item, keys) for item in error.errors()]


def _explain(error: Any, keys: Sequence[Key]) -> str:
    """One line: the key's full path, what is wrong, what is allowed, the nearest key for a typo."""
    kind, location, given = error["type"], error["loc"], error.get("input")
    if kind == "extra_forbidden":
        section, below = place_of(location[:-1], keys)
        path = f"{section}.{location[-1]}".lstrip(".")
        allowed = list(dict.fromkeys(key.name for key in below))
        return f"{path}: unknown key.{_suggestion(str(location[-1]), allowed)} Allowed here: {', '.join(allowed)}"
    path, below = place_of(location, keys)
    if kind == "missing":
        return f"{path}: this key is required"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        discriminator = error["ctx"]["discriminator"].strip("'")
        allowed = next(key.allowed for key in below if key.name == discriminator).split(", ")
        if kind == "union_tag_not_found":
            return f"{path}.{discriminator}: this key is required; allowed: {', '.join(allowed)}"
        tag = str(error["ctx"]["tag"])
        return f"{path}.{discriminator}: '{tag}' is unknown.{_suggestion(tag, allowed)} Allowed: {', '.join(allowed)}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        return f"{path}: {message}" if path else message
    if kind == "string_too_long":
        return f"{path}: a name of {len(given)} characters; at most {error['ctx']['max_length']} are allowed"
    if kind == "string_type" and isinstance(given, (bool, int, float, type(None))):
        return f"{path}: expected a text, which YAML read as {given!r}; put it in quotes"
    if kind == "string_pattern_mismatch":
        return f"{path}: a name starts with a letter and holds letters, digits and _ only"
    shown = "" if isinstance(given, (dict, list)) else f", got {given!r}"
    expected = message if kind in ("too_short", "dict_type") else f"expected {message}"
    near = _suggestion(str(given), re.findall(r"'([^']*)'", message)) if kind == "literal_error" else ""
    return f"{path}: {expected}{shown}{near and '.' + near}"


def _suggestion(given: str, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(given, allowed, n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""
