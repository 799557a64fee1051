"""Reads curated schemas, checks them against the configuration, and compares them with inferred ones."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.anomaly_gate.column import Column
from janus_core.errors import DataError
from janus_core.kinds import kind_of
from pipeline.config import JanusConfig
from trainer.config import columns_of

ColumnType = Literal["int", "float", "bytes"]
_SHOWN_VALUES = 6
_WIDTH = {"INT": 1, "FLOAT": 2, "BYTES": 3}
"""Data of a narrower type are read as the wider one that a schema names, not the other way round."""
_COLUMN_TYPES: dict[int, ColumnType] = {schema_pb2.INT: "int", schema_pb2.FLOAT: "float", schema_pb2.BYTES: "bytes"}


@dataclass(frozen=True)
class ColumnDifference:
    """A column that differs between two schemas; None where one does not have it.

    `stops` says whether a run would be stopped by it, since the data break what the file demands.
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
    problems += [
        f"{path}: column '{column}' is {schema_pb2.FeatureType.Name(features[column].type)}, but a label with a "
        f"separator ('{separator}') is BYTES"
        for column, separator in config.separated_labels().items()
        if column in features and features[column].type != schema_pb2.BYTES
    ]
    for column, classes in config.label_domains().items():
        domain = _domain(schema, features[column]) if column in features else []
        lacking = [value for value in classes if value not in domain]
        if domain and lacking:
            problems.append(f"{path}: the domain of column '{column}' lacks the class(es) {', '.join(lacking)}")
    if problems:
        raise DataError("the schema does not fit the configuration:\n  " + "\n  ".join(problems), problems)


def column_types(schema: schema_pb2.Schema) -> dict[str, ColumnType]:
    """Column → int, float or bytes, as ExampleGen takes them."""
    return {feature.name: _COLUMN_TYPES[feature.type] for feature in schema.feature if feature.type in _COLUMN_TYPES}


def only_columns(schema: schema_pb2.Schema, columns: Collection[str]) -> schema_pb2.Schema:
    """The schema without other columns, and without domains that only those have."""
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    for kept in (feature for feature in schema.feature if feature.name not in columns):
        result.feature.remove(kept)
    domains = {feature.domain for feature in result.feature}
    for unused in (domain for domain in schema.string_domain if domain.name not in domains):
        result.string_domain.remove(unused)
    return result


def to_freeze(schema: schema_pb2.Schema, config: JanusConfig) -> schema_pb2.Schema:
    """The part of an inferred schema that is worth keeping.

    Labels that are text get their classes as their domain, and several in one string are text though all that were
    seen may be numbers. Features lose their domain: it lists what happened to be seen, while new values are what the
    model has out-of-vocabulary buckets for.
    """
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    del result.string_domain[:]
    classes = config.label_domains()
    for feature in result.feature:
        feature.ClearField("domain_info")
        if feature.name in config.separated_labels():
            feature.type = schema_pb2.BYTES
        if feature.name in classes and feature.type == schema_pb2.BYTES:
            feature.string_domain.name = feature.name
            feature.string_domain.value[:] = classes[feature.name]
    return result


def to_text(schema: schema_pb2.Schema) -> str:
    """The schema as a .pbtxt file holds it."""
    return text_format.MessageToString(schema)


def column_differences(
    in_file: schema_pb2.Schema, inferred: schema_pb2.Schema, rows: int, statistics: Mapping[str, Column]
) -> list[ColumnDifference]:
    """Columns that differ between the file and the data; those that would stop a run come first.

    A limit that only the file has is not a difference as long as the data keep it.

    Args:
        in_file: the curated schema.
        inferred: the schema inferred from a split.
        rows: that split's rows.
        statistics: its columns.
    """
    known = {feature.name: _view(in_file, feature) for feature in in_file.feature}
    seen = {
        feature.name: _seen(_view(inferred, feature), rows, statistics.get(feature.name))
        for feature in inferred.feature
    }
    differing = []
    for column in {*known, *seen}:
        left, right = known.get(column), seen.get(column)
        stops = left is not None and (right is None or _stops(left, right))
        if stops or left is None or right is None or left.type != right.type:
            words = [_words(view) if view else None for view in (left, right)]
            differing.append(ColumnDifference(column, words[0], words[1], stops))
    return sorted(differing, key=lambda difference: (not difference.stops, difference.column))


def _numeric_columns(config: JanusConfig) -> dict[str, str]:
    columns = {
        column: f"features.{name}"
        for name, feature in config.features.items()
        if feature.numeric
        for column in columns_of(name, feature)
    }
    for name, task in config.tasks.items():
        if kind_of(task).is_numeric:
            columns[task.label] = f"tasks.{name}.label"
        if task.sample_weight is not None:
            columns[task.sample_weight] = f"tasks.{name}.sample_weight"
    return columns


@dataclass(frozen=True)
class _View:
    """A column as a schema describes it, or as the data are."""

    type: str
    share: float
    fewest_values: int
    most_values: int
    domain: frozenset[str]
    least: float | None
    greatest: float | None


def _view(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> _View:
    shape = feature.shape.dim if feature.HasField("shape") else []
    size = math.prod(dim.size for dim in shape)
    domain = next((getattr(feature, name) for name in ("int_domain", "float_domain") if feature.HasField(name)), None)
    return _View(
        type=schema_pb2.FeatureType.Name(feature.type),
        share=1.0 if shape else feature.presence.min_fraction,
        fewest_values=size if shape else feature.value_count.min or 1,
        most_values=size if shape else feature.value_count.max or feature.value_count.min or 1,
        domain=frozenset(_domain(schema, feature)),
        least=domain.min if domain is not None and domain.HasField("min") else None,
        greatest=domain.max if domain is not None and domain.HasField("max") else None,
    )


def _seen(view: _View, rows: int, column: Column | None) -> _View:
    """What was inferred, with numbers that a schema does not contain."""
    if column is None:
        return view
    share = column.present / rows if rows else 0.0
    return replace(view, share=share, least=column.least, greatest=column.greatest)


def _stops(known: _View, seen: _View) -> bool:
    return (
        _WIDTH.get(seen.type, 0) > _WIDTH.get(known.type, 0)
        or known.share > seen.share
        or seen.fewest_values < known.fewest_values
        or seen.most_values > known.most_values
        or bool(known.domain and seen.domain - known.domain)
        or (known.least is not None and seen.least is not None and seen.least < known.least)
        or (known.greatest is not None and seen.greatest is not None and seen.greatest > known.greatest)
    )


def _words(view: _View) -> str:
    parts = [view.type]
    if view.share:
        parts.append("in every row" if view.share == 1 else f"in {view.share:.4g} of the rows")
    else:
        parts.append("may be missing")
    if (view.fewest_values, view.most_values) != (1, 1):
        same = view.fewest_values == view.most_values
        parts.append(f"{view.fewest_values if same else f'{view.fewest_values}-{view.most_values}'} values")
    if view.domain:
        more = ", …" if len(view.domain) > _SHOWN_VALUES else ""
        parts.append(f"one of {len(view.domain)}: {', '.join(sorted(view.domain)[:_SHOWN_VALUES])}{more}")
    limits = [f"{word} {limit:g}" for word, limit in (("from", view.least), ("to", view.greatest)) if limit is not None]
    return ", ".join([*parts, " ".join(limits)] if limits else parts)


def _domain(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> list[str]:
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    named = {domain.name: list(domain.value) for domain in schema.string_domain}
    return named.get(feature.domain, [])
