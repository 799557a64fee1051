"""Reads a configuration file, applies overrides, and explains what is wrong with it."""

import difflib
import json
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from janus_core.errors import ConfigError
from pipeline.config import JanusConfig


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, but a key given twice is an error, not silently the last one."""


def _construct_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict:
    loader.flatten_mapping(node)
    mapping: dict = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        # All keys here are texts: `NO`, `on` or `null` is a name, not what YAML makes of it.
        if isinstance(key_node, yaml.ScalarNode) and not isinstance(key, str):
            key = key_node.value
        if key in mapping:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} is given twice in one mapping", key_node.start_mark
            )
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> JanusConfig:
    """Reads and validates a YAML file.

    Args:
        path: the file.
        overrides: `key.path=value` strings; the value is read as YAML.

    Raises:
        ConfigError: the file is missing or no valid configuration; the message names every wrong key.
    """
    raw = _read_yaml(Path(path))
    for override in overrides:
        _apply_override(raw, override)
    return parse_config(raw, source=str(path))


def parse_config(raw: dict[str, Any], source: str = "configuration") -> JanusConfig:
    """Validates an already loaded mapping; see `load_config`."""
    try:
        return JanusConfig.model_validate(raw)
    except ValidationError as error:
        lines = [_explain(item, raw) for item in error.errors()]
        raise ConfigError("\n".join([f"{source} is not a valid configuration:", *(f"  {x}" for x in lines)])) from error


def config_json_schema() -> str:
    """The configuration's JSON Schema (draft 2020-12), as text."""
    return json.dumps(JanusConfig.model_json_schema(by_alias=True), indent=2)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.yaml")], n=1)
        hint = f" Did you mean {path.parent / near[0]}?" if near else ""
        raise ConfigError(f"no configuration file {path}.{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        raw = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold a mapping of keys; it holds {type(raw).__name__}")
    return raw


def _apply_override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {override}: expected key.path=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is not valid YAML: {error}") from error
    node: Any = raw
    for depth, part in enumerate(parts[:-1]):
        if isinstance(node, list):
            node = _list_item(node, part, override)
            continue
        child = node.get(part)
        if child is None:
            child = node[part] = {}
        if not isinstance(child, (dict, list)):
            raise ConfigError(f"--set {override}: {'.'.join(parts[: depth + 1])} is a value, it has no keys")
        node = child
    if isinstance(node, list):
        _list_item(node, parts[-1], override)
        node[int(parts[-1])] = value
    else:
        node[parts[-1]] = value


def _list_item(node: list, part: str, override: str) -> Any:
    if not part.isdigit() or int(part) >= len(node):
        raise ConfigError(f"--set {override}: '{part}' is no index of a list of {len(node)}")
    return node[int(part)]


def _explain(error: Any, raw: dict[str, Any]) -> str:
    """One line: the key's full path, what is wrong, what is allowed, the nearest key for a typo."""
    path, model = _walk(error["loc"])
    key = ".".join(path)
    kind = error["type"]
    if kind == "extra_forbidden":
        allowed = _field_names(model) if model else []
        near = difflib.get_close_matches(path[-1], allowed, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return f"{key}: unknown key.{hint} Allowed here: {', '.join(allowed)}"
    if kind == "missing":
        return f"{key}: this key is required"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        discriminator = error["ctx"]["discriminator"].strip("'")
        allowed = [x.strip().strip("'") for x in str(error["ctx"].get("expected_tags", "")).split(",") if x.strip()]
        allowed = allowed or _tags(error["loc"])
        if kind == "union_tag_not_found":
            return f"{key}.{discriminator}: this key is required; allowed: {', '.join(allowed)}"
        tag = str(error["ctx"]["tag"])
        near = difflib.get_close_matches(tag, allowed, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return f"{key}.{discriminator}: '{tag}' is unknown.{hint} Allowed: {', '.join(allowed)}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        return f"{key}: {message}" if key else message
    if kind == "string_too_long":
        return f"{key}: a name of {len(error['input'])} characters; at most {error['ctx']['max_length']} are allowed"
    if kind == "string_type" and isinstance(error.get("input"), (bool, int, float, type(None))):
        return f"{key}: expected a text, which YAML read as {error['input']!r}; put it in quotes"
    if kind == "string_pattern_mismatch":
        return f"{key}: a name starts with a letter and holds letters, digits and _ only"
    given = error.get("input")
    shown = "" if isinstance(given, (dict, list)) else f", got {given!r}"
    expected = message if kind in ("too_short", "dict_type") else f"expected {message}"
    return f"{key}: {expected}{shown}"


def _walk(location: Iterable[str | int]) -> tuple[list[str], type[BaseModel] | None]:
    """The key path without pydantic's union tags, and the model that the last key stands in."""
    path: list[str] = []
    model: type[BaseModel] | None = JanusConfig
    annotation: Any = JanusConfig
    for part in location:
        if part == "[key]":
            continue
        candidates = _models(annotation)
        tagged = [m for m in candidates if part in _tag_values(m)] if len(candidates) > 1 else []
        if tagged:
            annotation = tagged[0]
            continue
        if candidates and isinstance(part, str):
            model = candidates[0]
            field = _fields(model).get(part)
            path.append(part)
            annotation = field.annotation if field is not None else None
            continue
        child = _item_annotation(annotation)
        if child is None and annotation is not None and not candidates:
            continue
        path.append(str(part))
        annotation = child
    return path, model


def _tags(location: Iterable[str | int]) -> list[str]:
    annotation: Any = JanusConfig
    for part in location:
        models = _models(annotation)
        field = _fields(models[0]).get(str(part)) if len(models) == 1 else None
        annotation = field.annotation if field is not None else _item_annotation(annotation)
    return [tag for model in _models(annotation) for tag in _tag_values(model)]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _field_names(model: type[BaseModel]) -> list[str]:
    return list(_fields(model))


def _strip(annotation: Any) -> Any:
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    annotation = _strip(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [model for arg in typing.get_args(annotation) for model in _models(arg)]
    return []


def _tag_values(model: type[BaseModel]) -> tuple[Any, ...]:
    for name in ("kind", "by"):
        field = model.model_fields.get(name)
        if field is not None and typing.get_origin(field.annotation) is typing.Literal:
            return typing.get_args(field.annotation)
    return ()


def _item_annotation(annotation: Any) -> Any:
    annotation = _strip(annotation)
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is dict:
        return arguments[1]
    if typing.get_origin(annotation) is list:
        return arguments[0]
    for argument in arguments if typing.get_origin(annotation) in (typing.Union, types.UnionType) else ():
        found = _item_annotation(argument)
        if found is not None:
            return found
    return None
