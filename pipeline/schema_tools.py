"""Reads curated schemas, checks them against the configuration, and compares them with inferred ones."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.config import JanusConfig
from trainer.config import column_of
from trainer.errors import DataError

NUMERIC_KINDS = frozenset({"numeric", "cyclical", "vector"})
ColumnType = Literal["int", "float", "bytes"]
_SHOWN_VALUES = 6
_LIMITS = (("min", "from"), ("max", "to"))
_COLUMN_TYPES: dict[int, ColumnType] = {schema_pb2.INT: "int", schema_pb2.FLOAT: "float", schema_pb2.BYTES: "bytes"}


@dataclass(frozen=True)
class Difference:
    """A column of which two schemas say different things; None where one lacks it.

    `stops` says that a run would be stopped by it: the data break what the file demands.
    """

    column: str
    in_file: str | None
    inferred: str | None
    stops: bool


def read_schema(path: Path) -> schema_pb2.Schema:
    """Parses a curated schema.

    Raises:
        DataError: the file is missing or no schema.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except FileNotFoundError:
        raise DataError(
            f"no schema file {path} (key `schema`); `janus schema CONFIG --write` makes one from the data"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the schema file {path} cannot be read: {error}") from error
    except text_format.ParseError as error:
        raise DataError(f"{path} is not a TFDV schema (.pbtxt): {error}") from error


def check_schema(schema: schema_pb2.Schema, path: Path, config: JanusConfig) -> None:
    """Checks that a schema has the configuration's columns, with types that fit their use.

    Raises:
        DataError: it has not.
    """
    features = {feature.name: feature for feature in schema.feature}
    problems = [
        f"{path} has no column '{column}', which {key} names"
        for column, key in config.named_columns().items()
        if column not in features
    ]
    for column, key in _numeric_columns(config).items():
        if column in features and features[column].type == schema_pb2.BYTES:
            problems.append(f"{path}: column '{column}' is BYTES, but {key} needs a number")
    for column, classes in config.label_domains().items():
        domain = _domain(schema, features[column]) if column in features else []
        lacking = [value for value in classes if value not in domain]
        if domain and lacking:
            problems.append(f"{path}: the domain of column '{column}' lacks the class(es) {', '.join(lacking)}")
    if problems:
        raise DataError("the schema does not fit the configuration:\n  " + "\n  ".join(problems), problems)


def column_types(schema: schema_pb2.Schema) -> dict[str, ColumnType]:
    """Column → int, float or bytes, as ExampleGen is told them."""
    return {feature.name: _COLUMN_TYPES[feature.type] for feature in schema.feature if feature.type in _COLUMN_TYPES}


def to_freeze(schema: schema_pb2.Schema, config: JanusConfig) -> schema_pb2.Schema:
    """What is worth keeping of an inferred schema.

    Labels that are text get their classes as their domain. Features lose theirs: it lists what happened to be seen,
    while new values are what the model has out-of-vocabulary buckets for.
    """
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    del result.string_domain[:]
    classes = config.label_domains()
    for feature in result.feature:
        feature.ClearField("domain_info")
        if feature.name in classes and feature.type == schema_pb2.BYTES:
            feature.string_domain.name = feature.name
            feature.string_domain.value[:] = classes[feature.name]
    return result


def to_text(schema: schema_pb2.Schema) -> str:
    """The schema as a .pbtxt file holds it."""
    return text_format.MessageToString(schema)


def differences(in_file: schema_pb2.Schema, inferred: schema_pb2.Schema) -> list[Difference]:
    """Columns that differ in type, presence, number of values or domain; those that stop a run come first.

    Limits that only the file has (a domain, a range) are no difference as long as what was seen keeps them.
    """
    left = {feature.name: _view(in_file, feature) for feature in in_file.feature}
    right = {feature.name: _view(inferred, feature) for feature in inferred.feature}
    found = []
    for column in {*left, *right}:
        known, seen = left.get(column), right.get(column)
        if known is None or seen is None or _facts(known, seen) != _facts(seen, known):
            stops = seen is None or (known is not None and _stops(known, seen))
            found.append(Difference(column, known and _words(known), seen and _words(seen), stops))
    return sorted(found, key=lambda difference: (not difference.stops, difference.column))


def _numeric_columns(config: JanusConfig) -> dict[str, str]:
    columns = {
        column_of(name, feature): f"features.{name}"
        for name, feature in config.features.items()
        if feature.kind in NUMERIC_KINDS
    }
    columns.update(
        {task.label: f"tasks.{name}.label" for name, task in config.tasks.items() if task.kind == "regression"}
    )
    return columns


@dataclass(frozen=True)
class _View:
    """What a schema says of a column, in a form that two schemas share."""

    type: str
    share: float
    least_values: int
    most_values: int
    domain: tuple[str, ...]
    range: str


def _view(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> _View:
    shape = feature.shape.dim if feature.HasField("shape") else []
    size = math.prod(dim.size for dim in shape)
    return _View(
        type=schema_pb2.FeatureType.Name(feature.type),
        share=1.0 if shape else feature.presence.min_fraction,
        least_values=size if shape else feature.value_count.min or 1,
        most_values=size if shape else feature.value_count.max or feature.value_count.min or 1,
        domain=tuple(sorted(_domain(schema, feature))),
        range=_range(feature),
    )


def _facts(view: _View, other: _View) -> tuple:
    """What counts as different: a domain only if the other has one too, and this one has values beside it."""
    beside = bool(view.domain and other.domain) and not (
        set(view.domain) <= set(other.domain) or set(other.domain) <= set(view.domain)
    )
    return view.type, view.share, view.least_values, view.most_values, beside and view.domain


def _stops(known: _View, seen: _View) -> bool:
    return (
        known.type != seen.type
        or known.share > seen.share
        or seen.least_values < known.least_values
        or seen.most_values > known.most_values
        or bool(known.domain and seen.domain and not set(seen.domain) <= set(known.domain))
    )


def _words(view: _View) -> str:
    parts = [view.type]
    if view.share:
        parts.append("in every row" if view.share == 1 else f"in {view.share:.4g} of the rows")
    else:
        parts.append("may be missing")
    if (view.least_values, view.most_values) != (1, 1):
        same = view.least_values == view.most_values
        parts.append(f"{view.least_values if same else f'{view.least_values}-{view.most_values}'} values")
    if view.domain:
        more = ", …" if len(view.domain) > _SHOWN_VALUES else ""
        parts.append(f"one of {len(view.domain)}: {', '.join(view.domain[:_SHOWN_VALUES])}{more}")
    if view.range:
        parts.append(view.range)
    return ", ".join(parts)


def _range(feature: schema_pb2.Feature) -> str:
    for name in ("int_domain", "float_domain"):
        if feature.HasField(name):
            domain = getattr(feature, name)
            limits = [f"{word} {getattr(domain, limit):g}" for limit, word in _LIMITS if domain.HasField(limit)]
            return " ".join(limits)
    return ""


def _domain(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> list[str]:
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    named = {domain.name: list(domain.value) for domain in schema.string_domain}
    return named.get(feature.domain, [])
