"""Every key of the configuration, found by walking its pydantic models."""

import inspect
import json
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.commands.explain.shape import Models, Shape, item_of, models_of, shape_of

ANY = "*"
"""Stands in a path for a name of the user's own, such as a task's, and for an index of a list."""

KEYS_OWN = "its keys' own"
"""The default of a section that may be left out: the defaults of the keys in it."""


@dataclass(frozen=True)
class Variant:
    """One kind of a section that has several: the key and value that choose it, and its purpose."""

    choice: str
    purpose: str


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Attributes:
        path: the full path, `*` for names of the user's own: `tasks.*.loss`.
        kinds: values of the section's discriminator with which the key is there; empty: it always is.
        type: in words.
        allowed: values or limits, in words; empty where the type says it all.
        default: as YAML, or `KEYS_OWN`; None: the key is required.
        description: one or more sentences; empty if the model has none.
        variants: what a section may be, where it has several kinds.
    """

    path: str
    kinds: tuple[str, ...]
    type: str
    allowed: str
    default: str | None
    description: str
    variants: tuple[Variant, ...] = ()

    @property
    def parent(self) -> str:
        """The section's path; empty for a key of the first level."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def keys_of(model: type[BaseModel]) -> list[Key]:
    """All keys of a model, each section before what is in it.

    A path comes several times if its meaning depends on the section's kind, as `tasks.*.loss` does.
    """
    return list(_section("", Models((model,))))


def children_of(path: str, keys: Sequence[Key]) -> list[Key]:
    """The keys right below a path; those of a mapping or list are the keys of what it holds."""
    below = [key for key in keys if key.parent == path]
    if [key.name for key in below] == [ANY]:
        return children_of(f"{path}.{ANY}" if path else ANY, keys) or below
    return below


def _section(path: str, found: Models) -> Iterator[Key]:
    """The keys of a section, those that are alike in several kinds once."""
    merged: dict[tuple[str, Key], tuple[list[str], FieldInfo]] = {}
    if found.discriminator:
        yield _discriminator_key(path, found)
    for model in found.models:
        tags = _tags(model, found.discriminator)
        for name, field in model.model_fields.items():
            if name == found.discriminator:
                continue
            key = _key(f"{path}.{field.alias or name}".lstrip("."), field)
            merged.setdefault((name, key), ([], field))[0].extend(tags)
    everywhere = {tag for model in found.models for tag in _tags(model, found.discriminator)}
    order = list(dict.fromkeys(name for name, _ in merged))
    for (_, key), (tags, field) in sorted(merged.items(), key=lambda entry: order.index(entry[0][0])):
        yield replace(key, kinds=() if set(tags) == everywhere else tuple(tags))
        yield from _below(key, field.annotation, field)


def _below(key: Key, annotation: Any, field: FieldInfo | None = None) -> Iterator[Key]:
    """What is in a key's section, mapping or list."""
    found = models_of(annotation, field)
    if found.models:
        yield from _section(key.path, found)
        return
    item = item_of(annotation)
    if item is None or _is_plain_list(annotation):
        return
    models = models_of(item)
    shape = shape_of(item)
    purpose = _purpose(models) or key.description
    entry = Key(f"{key.path}.{ANY}", (), shape.type, shape.allowed, None, purpose, _variants(models))
    yield entry
    yield from _below(entry, item)


def _is_plain_list(annotation: Any) -> bool:
    """A list of values: nobody asks for the reference of its third."""
    item = item_of(annotation)
    return not shape_of(annotation).type.startswith("mapping") and not models_of(item).models


def _key(path: str, field: FieldInfo) -> Key:
    shape: Shape = shape_of(field.annotation, field.metadata)
    models = models_of(field.annotation, field)
    return Key(
        path=path,
        kinds=(),
        type=shape.type,
        allowed=shape.allowed,
        default=_default(field),
        description=field.description or _purpose(models),
        variants=_variants(models),
    )


def _discriminator_key(path: str, found: Models) -> Key:
    tags = [tag for model in found.models for tag in _tags(model, found.discriminator)]
    defaults = [model.model_fields[found.discriminator].default for model in found.models]
    default = next((value for value in defaults if value is not PydanticUndefined), None)
    return Key(
        path=f"{path}.{found.discriminator}",
        kinds=(),
        type="text",
        allowed=", ".join(tags),
        default=default,
        description="Decides which of the other keys there are.",
    )


def _variants(found: Models) -> tuple[Variant, ...]:
    if not found.discriminator:
        return ()
    return tuple(
        Variant(f"{found.discriminator}: {tag}", _summary(model))
        for model in found.models
        for tag in _tags(model, found.discriminator)
    )


def _tags(model: type[BaseModel], discriminator: str) -> list[str]:
    """The values of the discriminator that choose this model; without one, a single nameless kind."""
    if not discriminator:
        return [""]
    return [str(tag) for tag in typing.get_args(model.model_fields[discriminator].annotation)]


def _purpose(found: Models) -> str:
    """What a section is for, unless it has several kinds, which say so themselves."""
    return _summary(found.models[0]) if len(found.models) == 1 and not found.discriminator else ""


def _summary(model: type[BaseModel]) -> str:
    return " ".join(inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0].split())


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        given = value.model_dump(mode="json", exclude_unset=True)
        chosen = {name: getattr(value, name) for name in ("kind", "by") if hasattr(value, name)}
        return _yaml({**chosen, **given}) if chosen or given else KEYS_OWN
    return _yaml(value)


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
