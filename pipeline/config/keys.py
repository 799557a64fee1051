"""Every key of the configuration, from its JSON Schema: for error messages, `janus explain` and the documentation."""

import difflib
import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from janus_core.errors import ConfigError
from janus_core.strict import NAME_PATTERN

ANY = "*"
"""In a path, the place of a name that the user chooses, such as a task's, or of an index of a list."""

KEYS_OWN = "its keys' own"
"""The default of a section that may be left out: the defaults of the keys in it."""

_STANDARD = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""pydantic's keywords for limits under a validator of our own → JSON Schema's."""

_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_LENGTHS = {
    f"{end}{what}": sign for what in ("Length", "Items", "Properties") for end, sign in (("min", "≥"), ("max", "≤"))
}

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One kind of a section that has several: the key and value that choose it, and its purpose."""

    choice: str
    purpose: str

    @property
    def kind(self) -> str:
        """The value that chooses it."""
        return self.choice.partition(": ")[2]


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Attributes:
        path: the full path, `*` for names of the user's own: `tasks.*.loss`.
        kinds: values of the section's discriminator with which the key exists; empty: it always does.
        type: in words.
        allowed: values or limits, in words; empty where the type is all there is to say.
        default: as YAML, or `KEYS_OWN`; None: the key is required.
        description: one or more sentences; empty if the model has none.
        variants: the kinds of a section that has several.
        union: whether a value may be of several types, so that pydantic's locations name one.
    """

    path: str
    kinds: tuple[str, ...]
    type: str
    allowed: str
    default: str | None
    description: str
    variants: tuple[Variant, ...] = ()
    union: bool = False

    @property
    def parent(self) -> str:
        """The section's path; empty for a key of the first level."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON Schema (draft 2020-12)."""
    schema: dict[str, Any] = _standard(model.model_json_schema(by_alias=True))
    return schema


@functools.cache
def keys_of(model: type[BaseModel]) -> tuple[Key, ...]:
    """All keys of a model, each section before what is in it.

    A path occurs several times if its meaning depends on the section's kind, as that of `tasks.*.loss` does.
    """
    schema = json_schema(model)
    return tuple(_section("", _expanded(schema, schema.get("$defs", {}))))


def children_of(path: str, keys: Sequence[Key]) -> list[Key]:
    """The keys directly below a path; those of a mapping or list are the keys of what it holds."""
    below = [key for key in keys if key.parent == path]
    if [key.name for key in below] == [ANY]:
        return children_of(f"{path}.{ANY}" if path else ANY, keys) or below
    return below


def place_of(location: Iterable[str | int], keys: Sequence[Key]) -> tuple[str, list[Key]]:
    """The path of the value that a validation error is about, and the keys which that value may have.

    Args:
        location: pydantic's, which also has the kinds of sections and the types of unions.
        keys: all there are.

    Returns:
        The path as in the file; at its end, of the section's keys, those that its kind has.
    """
    path: list[str] = []
    pattern, kind, seen_type = "", "", False
    for part in location:
        here = [key for key in keys if key.path == pattern]
        names = {key.name for key in keys if key.parent == pattern}
        if part == "[key]":
            continue
        if not kind and any(part == variant.kind for key in here for variant in key.variants):
            kind = str(part)
        elif not seen_type and any(key.union for key in here):
            seen_type = True
        elif part in names or ANY in names:
            pattern = f"{pattern}.{part if part in names else ANY}".lstrip(".")
            kind, seen_type = "", False
            path.append(str(part))
        elif isinstance(part, int) or seen_type:
            path.append(str(part))
    below = [key for key in keys if key.parent == pattern and (not key.kinds or kind in key.kinds)]
    return ".".join(path), below


def shape_of(node: Schema) -> tuple[str, str]:
    """Type and limits of a value in words; null is left out, since it is the default of a key that may be left out.

    Raises:
        TypeError: there are no words for it.
    """
    branches = _alternatives(node)
    if len(branches) == 1:
        return _plain_shape(branches[0])
    shapes = [_plain_shape(branch) for branch in branches]
    types = list(dict.fromkeys(type_ for type_, _ in shapes))
    # With several types, limits need the type that they belong to, unless they are words of their own.
    several = len(types) > 1
    allowed = [f"{type_} {text}" if several and text[:1] in tuple("≥>≤<") else text for type_, text in shapes]
    return " or ".join(types), _join(allowed)


def _section(path: str, node: Schema) -> Iterator[Key]:
    """The keys of a section, those that are the same in several kinds once."""
    discriminator, sections = _discriminator(node), _sections(node)
    if discriminator:
        yield _discriminator_key(path, discriminator, sections)
    merged: dict[tuple[str, Key], tuple[list[str], Schema]] = {}
    for section in sections:
        for name, child in section["properties"].items():
            if name != discriminator:
                key = _key(f"{path}.{name}".lstrip("."), child, name in section.get("required", ()))
                merged.setdefault((name, key), ([], child))[0].extend(_kinds(section, discriminator))
    everywhere = {kind for section in sections for kind in _kinds(section, discriminator)}
    order = list(dict.fromkeys(name for name, _ in merged))
    for (_, key), (kinds, child) in sorted(merged.items(), key=lambda entry: order.index(entry[0][0])):
        yield replace(key, kinds=() if set(kinds) == everywhere else tuple(kinds))
        yield from _below(key, child)
    for section in sections:
        if section.get("additionalProperties"):
            yield from _entry(path, section["additionalProperties"], "")


def _below(key: Key, node: Schema) -> Iterator[Key]:
    """What is in a key's section, mapping, or list of sections."""
    if _sections(node):
        yield from _section(key.path, node)
        return
    items = [_item(branch) for branch in _alternatives(node)]
    item = next((item for item in items if item is not None), None)
    # The indices of a list of plain values are not keys.
    if item is None or not (_sections(item) or key.type.startswith("mapping")):
        return
    yield from _entry(key.path, item, key.description)


def _entry(path: str, item: Schema, description: str) -> Iterator[Key]:
    """What stands under names of the user's own, and what is in it."""
    entry = replace(_key(f"{path}.{ANY}", item, required=True), description=_purpose(item) or description)
    yield entry
    yield from _below(entry, item)


def _key(path: str, node: Schema, required: bool) -> Key:
    type_, allowed = shape_of(node)
    return Key(
        path=path,
        kinds=(),
        type=type_,
        allowed=allowed,
        default=None if required else _default(node),
        description=node.get("description") or _purpose(node),
        variants=_variants(node),
        union=not _discriminator(node) and len(_alternatives(node)) > 1,
    )


def _discriminator_key(path: str, discriminator: str, sections: Sequence[Schema]) -> Key:
    defaults = (section["properties"][discriminator].get("default") for section in sections)
    return Key(
        path=f"{path}.{discriminator}",
        kinds=(),
        type="text",
        allowed=", ".join(kind for section in sections for kind in _kinds(section, discriminator)),
        default=next((default for default in defaults if default is not None), None),
        description="The kind, which decides what the other keys are.",
    )


def _variants(node: Schema) -> tuple[Variant, ...]:
    discriminator = _discriminator(node)
    return tuple(
        Variant(f"{discriminator}: {kind}", _summary(section))
        for section in _sections(node)
        for kind in _kinds(section, discriminator)
        if discriminator
    )


def _kinds(section: Schema, discriminator: str) -> list[str]:
    """The values of the discriminator that choose this section; without one, a single nameless kind."""
    return _values(section["properties"][discriminator]) if discriminator else [""]


def _purpose(node: Schema) -> str:
    """What a section is for, unless it has several kinds, each of which has a purpose of its own."""
    sections = _sections(node)
    return _summary(sections[0]) if len(sections) == 1 and not _discriminator(node) else ""


def _summary(section: Schema) -> str:
    return " ".join(section.get("docstring", "").partition("\n\n")[0].split())


def _default(node: Schema) -> str:
    value = node.get("default")
    if not isinstance(value, dict) or not _sections(node):
        return _yaml(value)
    discriminator = _discriminator(node)
    chosen = next(
        section
        for section in _sections(node)
        if not discriminator or value[discriminator] in _kinds(section, discriminator)
    )
    given = {
        name: entry
        for name, entry in value.items()
        if name == discriminator or entry != chosen["properties"][name].get("default")
    }
    return _yaml(given) if given else KEYS_OWN


def _yaml(value: Any) -> str:
    """In one line, as one would write it in the configuration."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_yaml(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(entry) for entry in value) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str):
        # Text that YAML would take for something else is quoted.
        return value if value and not value[0].isdigit() and value not in ("null", "true", "false") else f'"{value}"'
    return json.dumps(value)


def _plain_shape(node: Schema) -> tuple[str, str]:
    """Type and limits of a value that is of one type."""
    if "properties" in node:
        return "section", ""
    if values := _values(node):
        return "text", ", ".join(values)
    limits = [f"{sign} {node[name]}" for name, sign in _LIMITS.items() if name in node]
    lengths = [f"length {sign} {node[name]}" for name, sign in _LENGTHS.items() if name in node]
    item = _item(node)
    if node.get("type") == "array" and node.get("items") == {}:
        return "list of any values", _join(lengths)
    if node.get("type") == "array" and item is not None:
        type_, allowed = shape_of(item)
        return f"list of {type_}", _join([*lengths, allowed and f"each: {allowed}"])
    if item is not None:
        type_, allowed = shape_of(item)
        pattern = next(iter(node.get("patternProperties", ())), None)
        names = _plain_shape({"type": "string", "pattern": pattern, **node.get("propertyNames", {})})[1]
        return f"mapping of name to {type_}", _join([*lengths, names and f"names: {names}", allowed])
    if node.get("type") not in _TYPES:
        raise TypeError(f"the reference has no words for {dict(node)}: add them to {__name__}")
    pattern = node.get("pattern")
    words = "letters, digits and _, a letter first" if pattern == NAME_PATTERN else f"matches {pattern}"
    return _TYPES[node["type"]], ", ".join([*limits, *lengths, *([words] if pattern else [])])


def _values(node: Schema) -> list[str]:
    return [str(value) for value in node.get("enum", [node["const"]] if "const" in node else [])]


def _item(node: Schema) -> Schema | None:
    """What a list or a mapping holds; None for anything else."""
    if "properties" in node:
        return None
    patterned = node.get("patternProperties", {}).values()
    return next((item for item in (node.get("items"), *patterned, node.get("additionalProperties")) if item), None)


def _alternatives(node: Schema) -> list[Schema]:
    """The schemas of which a value may be, without null."""
    nested = node.get("anyOf") or node.get("oneOf")
    if nested is None:
        return [] if node.get("type") == "null" else [node]
    return [branch for inner in nested for branch in _alternatives(inner)]


def _sections(node: Schema) -> list[Schema]:
    return [branch for branch in _alternatives(node) if "properties" in branch]


def _discriminator(node: Schema) -> str:
    """The key that chooses one of a section's kinds; empty if it has but one."""
    nested = (_discriminator(inner) for inner in node.get("anyOf", ()))
    return str(node.get("discriminator", {}).get("propertyName") or next(filter(None, nested), ""))


def _join(parts: Sequence[str]) -> str:
    return "; ".join(part for part in parts if part)


def _expanded(node: Any, definitions: Schema) -> Any:
    """A schema with its definitions in the place of the references to them; `docstring` is the model's."""
    if isinstance(node, list):
        return [_expanded(entry, definitions) for entry in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        model = definitions[node["$ref"].rpartition("/")[2]]
        rest = {name: entry for name, entry in model.items() if name != "description"}
        node = {**rest, "docstring": model.get("description", ""), **node}
    return {name: _expanded(entry, definitions) for name, entry in node.items() if name not in ("$ref", "$defs")}


def _standard(node: Any) -> Any:
    """A schema with JSON Schema's keywords only."""
    if isinstance(node, list):
        return [_standard(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    return {_STANDARD.get(name, name): _standard(entry) for name, entry in node.items()}


# --- a key by its path -----------------------------------------------------------------------------------------------


def find(asked: str, keys: Sequence[Key]) -> list[Key]:
    """The keys of a path, several if its meaning depends on the section's kind.

    Args:
        asked: parts with dots between them; any name, or `*`, where the configuration has the user's own names.

    Raises:
        ConfigError: there is no such key; the message has the nearest one, and those that are there.
    """
    path = ""
    for part in asked.strip().split("."):
        here = {key.name for key in keys if key.parent == path}
        if part in here:
            chosen = part
        elif ANY in here and part:
            chosen = ANY
        else:
            raise ConfigError(_unknown(asked, path, part, keys))
        path = f"{path}.{chosen}".lstrip(".")
    return [key for key in keys if key.path == path]


def _unknown(asked: str, path: str, part: str, keys: Sequence[Key]) -> str:
    # A name of the user's own stays as it was typed.
    section = ".".join(asked.strip().split(".")[: path.count(".") + 1]) if path else ""
    allowed = list(dict.fromkeys(key.name for key in children_of(path, keys) if key.name != ANY))
    near = difflib.get_close_matches(part, allowed, n=1, cutoff=0.5)
    # A key's own name without its section: `learning_rate` is not meant to be `serving`.
    lone = not path and any(key.name == asked.strip() for key in keys)
    suggestion = _elsewhere(asked, keys) if lone or not near else f"{section}.{near[0]}".lstrip(".")
    hint = f" Did you mean '{suggestion}'?" if suggestion else ""
    if not allowed:
        return f"{asked}: unknown key.{hint} '{section}' is a value, it has no keys"
    where = f"Keys of '{section}'" if section else "Keys"
    return f"{asked}: unknown key.{hint} {where}: {', '.join(allowed)}"


def _elsewhere(asked: str, keys: Sequence[Key]) -> str:
    """A key of like name or path anywhere: people leave out the section, or the `*`."""
    last = asked.strip().rpartition(".")[2]
    paths = list(dict.fromkeys(key.path for key in keys))
    named = [path for path in paths if path.rpartition(".")[2] == last]
    near = difflib.get_close_matches(asked, named or paths, n=1, cutoff=0.0 if named else 0.6)
    return near[0] if near else ""
