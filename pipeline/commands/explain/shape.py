"""What an annotation of the configuration says of a value: its type in words, and its limits."""

import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from janus_core.strict import NAME_PATTERN

_NAME = "letters, digits and _, a letter first"
_SCALARS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


@dataclass(frozen=True)
class Shape:
    """A value's type and what is allowed of it, in words; `allowed` is empty where the type says it all."""

    type: str
    allowed: str = ""


@dataclass(frozen=True)
class Models:
    """The models that a value may be of.

    Attributes:
        models: one, or one for each value of the discriminator.
        discriminator: the key that tells them apart; empty for a single model.
    """

    models: tuple[type[BaseModel], ...] = ()
    discriminator: str = ""


def unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """An annotation without Annotated, and the metadata that stood there, those of Field included."""
    metadata: list[Any] = []
    while typing.get_origin(annotation) is typing.Annotated:
        annotation, *more = typing.get_args(annotation)
        metadata += more
    return annotation, tuple(item for entry in metadata for item in _flat(entry))


def shape_of(annotation: Any, metadata: Sequence[Any] = ()) -> Shape:
    """Type and limits of a value; null is left out, since a key's default tells of it.

    Args:
        annotation: of a field, or of what a list or mapping holds.
        metadata: that pydantic took off a field's annotation.
    """
    annotation, inner = unwrap(annotation)
    limits = [text for item in (*metadata, *inner) for text in _limits(item)]
    origin = typing.get_origin(annotation)
    if _is_union(annotation):
        return _union(annotation, limits)
    if origin is typing.Literal:
        return Shape("text", ", ".join(str(value) for value in typing.get_args(annotation)))
    if origin is list:
        item = shape_of(typing.get_args(annotation)[0])
        counts = [f"length {limit}" for limit in limits]
        return Shape(f"list of {item.type}", _join([*counts, item.allowed and f"each: {item.allowed}"]))
    if origin is dict:
        key, value = (shape_of(argument) for argument in typing.get_args(annotation))
        counts = [f"length {limit}" for limit in limits]
        names = key.allowed and f"names: {key.allowed}"
        return Shape(f"mapping of name to {value.type}", _join([*counts, names, value.allowed]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Shape("section")
    name = _SCALARS.get(annotation)
    if name is None:
        raise TypeError(f"the reference has no words for the type {annotation!r}: add them to {__name__}")
    # Of a text, all limits but patterns are of its length.
    texts = [f"length {limit}" if annotation is str and limit[:1] in "≥≤" else limit for limit in limits]
    return Shape(name, ", ".join(texts))


def models_of(annotation: Any, field: FieldInfo | None = None) -> Models:
    """The models that a value of this annotation may be of, none for a plain value."""
    annotation, metadata = unwrap(annotation)
    discriminator = field.discriminator if field is not None else None
    for item in metadata:
        discriminator = getattr(item, "discriminator", None) or discriminator
    arguments = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    models: list[type[BaseModel]] = []
    for argument in arguments:
        bare, _ = unwrap(argument)
        if isinstance(bare, type) and issubclass(bare, BaseModel):
            models.append(bare)
        elif _is_union(bare):
            nested = models_of(argument)
            models += nested.models
            discriminator = nested.discriminator or discriminator
    return Models(tuple(models), str(discriminator or ""))


def item_of(annotation: Any) -> Any | None:
    """What a mapping or list holds, also one that may be null; None for anything else."""
    annotation, _ = unwrap(annotation)
    for argument in typing.get_args(annotation) if _is_union(annotation) else (annotation,):
        bare, _ = unwrap(argument)
        if typing.get_origin(bare) in (list, dict):
            return typing.get_args(bare)[-1]
    return None


def is_mapping(annotation: Any) -> bool:
    """Whether a value may have names of the user's own for keys."""
    annotation, _ = unwrap(annotation)
    arguments = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    return any(typing.get_origin(unwrap(argument)[0]) is dict for argument in arguments)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _union(annotation: Any, limits: list[str]) -> Shape:
    shapes = [shape_of(argument) for argument in typing.get_args(annotation) if argument is not type(None)]
    types_ = list(dict.fromkeys(shape.type for shape in shapes))
    allowed = [shape.allowed for shape in shapes]
    if len(types_) > 1:
        # With several types, limits need the type that they belong to, unless they are words of their own.
        allowed = [
            f"{shape.type} {shape.allowed}" if shape.allowed[:1] in "≥>≤<" and shape.allowed else shape.allowed
            for shape in shapes
        ]
    return Shape(" or ".join(types_), _join([*limits, *allowed]))


def _flat(entry: Any) -> Iterator[Any]:
    yield entry
    if isinstance(entry, FieldInfo):
        yield from entry.metadata


def _limits(item: Any) -> Iterator[str]:
    if isinstance(item, annotated_types.Interval):
        for part in item:
            yield from _limits(part)
    elif isinstance(item, annotated_types.Ge):
        yield f"≥ {item.ge}"
    elif isinstance(item, annotated_types.Gt):
        yield f"> {item.gt}"
    elif isinstance(item, annotated_types.Le):
        yield f"≤ {item.le}"
    elif isinstance(item, annotated_types.Lt):
        yield f"< {item.lt}"
    elif isinstance(item, annotated_types.MinLen):
        yield f"≥ {item.min_length}"
    elif isinstance(item, annotated_types.MaxLen):
        yield f"≤ {item.max_length}"
    elif pattern := getattr(item, "pattern", None):
        yield _NAME if pattern == NAME_PATTERN else f"matches {pattern}"


def _join(parts: Sequence[str]) -> str:
    return "; ".join(part for part in parts if part)
