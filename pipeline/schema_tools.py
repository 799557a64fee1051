"""Reads curated schemas, checks them against the configuration, and compares them with inferred ones."""

from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.config import JanusConfig
from trainer.config import column_of
from trainer.errors import DataError

NUMERIC_KINDS = frozenset({"numeric", "cyclical", "vector"})
_ARROW_TYPES = {schema_pb2.INT: "int", schema_pb2.FLOAT: "float", schema_pb2.BYTES: "bytes"}


@dataclass(frozen=True)
class Difference:
    """A column of which two schemas say different things; None where one lacks it."""

    column: str
    in_file: str | None
    inferred: str | None


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


def column_types(schema: schema_pb2.Schema) -> dict[str, str]:
    """Column → int, float or bytes, as ExampleGen is told them."""
    return {feature.name: _ARROW_TYPES[feature.type] for feature in schema.feature if feature.type in _ARROW_TYPES}


def with_label_domains(schema: schema_pb2.Schema, config: JanusConfig) -> schema_pb2.Schema:
    """A copy in which each label that is text has its classes as its domain."""
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    domains = config.label_domains()
    for feature in result.feature:
        if feature.name in domains and feature.type == schema_pb2.BYTES:
            feature.ClearField("domain_info")
            feature.string_domain.name = feature.name
            feature.string_domain.value[:] = domains[feature.name]
    used = {feature.domain for feature in result.feature}
    kept = [domain for domain in result.string_domain if domain.name in used]
    del result.string_domain[:]
    result.string_domain.extend(kept)
    return result


def to_text(schema: schema_pb2.Schema) -> str:
    """The schema as a .pbtxt file holds it."""
    return text_format.MessageToString(schema)


def differences(in_file: schema_pb2.Schema, inferred: schema_pb2.Schema) -> list[Difference]:
    """Columns that differ in type, presence or domain, in the order of their names."""
    left, right = _descriptions(in_file), _descriptions(inferred)
    return [
        Difference(column, left.get(column), right.get(column))
        for column in sorted({*left, *right})
        if left.get(column) != right.get(column)
    ]


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


def _descriptions(schema: schema_pb2.Schema) -> dict[str, str]:
    return {feature.name: _describe(schema, feature) for feature in schema.feature}


def _describe(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> str:
    parts = [schema_pb2.FeatureType.Name(feature.type)]
    if feature.presence.min_fraction:
        share = feature.presence.min_fraction
        parts.append("required" if share == 1 else f"in {share:.4g} of rows")
    else:
        parts.append("optional")
    if feature.HasField("shape") and feature.shape.dim:
        parts.append("shape " + "×".join(str(dim.size) for dim in feature.shape.dim))
    elif feature.value_count.max > 1 or feature.value_count.min > 1:
        parts.append(f"{feature.value_count.min}-{feature.value_count.max} values")
    domain = _domain(schema, feature)
    if domain:
        shown = ", ".join(sorted(domain)[:6])
        parts.append(f"one of {len(domain)}: {shown}{', …' if len(domain) > 6 else ''}")
    for name in ("int_domain", "float_domain"):
        if feature.HasField(name):
            parts.append(f"from {getattr(feature, name).min:g} to {getattr(feature, name).max:g}")
    return ", ".join(parts)


def _domain(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> list[str]:
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    named = {domain.name: list(domain.value) for domain in schema.string_domain}
    return named.get(feature.domain, [])
