"""TFDV's anomalies, as what was expected, what was seen, and how often."""

import math
from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.anomaly_gate.column import Column
from components.anomaly_gate.finding import Finding, listing, most_frequent_first, rows
from janus_core.tables.missing_markers import is_number

Info = anomalies_pb2.AnomalyInfo

NOT_AN_ERROR = frozenset({"SCHEMA_NEW_COLUMN"})
"""A column that the schema lacks is used by nothing."""

ONLY_IF_CURATED = frozenset(
    {
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        "FEATURE_TYPE_LOW_NUMBER_PRESENT",
        "FEATURE_TYPE_NOT_PRESENT",
        "FEATURE_TYPE_LOW_NUMBER_VALUES",
        "FEATURE_TYPE_HIGH_NUMBER_VALUES",
        "SCHEMA_MISSING_COLUMN",
        "INT_TYPE_BIG_INT",
        "INT_TYPE_SMALL_INT",
        "FLOAT_TYPE_BIG_FLOAT",
        "FLOAT_TYPE_SMALL_FLOAT",
    }
)
"""Anomalies that say nothing where the schema was inferred from one split and the other differs."""


def check_anomalies(
    split: str,
    anomalies: anomalies_pb2.Anomalies,
    schema: schema_pb2.Schema,
    columns: dict[str, Column],
    row_count: int,
    curated: bool,
) -> list[Finding]:
    """Findings for all anomalies that are errors.

    Args:
        split: the split that the anomalies are of.
        anomalies: what ExampleValidator found.
        schema: what it compared with.
        columns: the split's statistics.
        row_count: the split's rows.
        curated: whether the schema was written down, rather than inferred.
    """
    features = {feature.name: feature for feature in schema.feature}
    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    findings = []
    for name, info in sorted(anomalies.anomaly_info.items()):
        column = ".".join(info.path.step) or name
        for reason in info.reason or [Info.Reason(description=info.description)]:
            kind = Info.Type.Name(reason.type)
            if info.severity == Info.WARNING or kind in NOT_AN_ERROR or (kind in ONLY_IF_CURATED and not curated):
                continue
            feature = features.get(column, schema_pb2.Feature(name=column))
            findings.append(
                _finding(split, kind, reason.description.strip(), feature, domains, columns.get(column), row_count)
            )
    if anomalies.HasField("dataset_anomaly_info") and curated:
        findings += list(_dataset_findings(split, anomalies.dataset_anomaly_info))
    return findings


def _dataset_findings(split: str, info: anomalies_pb2.AnomalyInfo) -> Iterator[Finding]:
    if info.severity != Info.WARNING:
        for reason in info.reason:
            yield Finding("(all columns)", split, "what the schema says", reason.description.strip())


def _finding(
    split: str,
    kind: str,
    description: str,
    feature: schema_pb2.Feature,
    domains: dict[str, list[str]],
    column: Column | None,
    row_count: int,
) -> Finding:
    name = feature.name
    if column is None:
        return Finding(name, split, "a column of this name", "none", rows(row_count, row_count))
    if kind == "ENUM_TYPE_UNEXPECTED_STRING_VALUES":
        return _unexpected_values(split, description, feature, domains, column)
    if kind in ("FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_LOW_NUMBER_PRESENT", "FEATURE_TYPE_NOT_PRESENT"):
        presence = feature.presence
        least = f"in at least {presence.min_fraction:.4g} of the rows" if presence.min_fraction else ""
        least = least or f"in at least {presence.min_count} rows"
        seen = f"values in {column.present / max(row_count, 1):.4g} of them"
        return Finding(name, split, f"a value {least}", seen, f"missing in {rows(column.missing, row_count)}")
    if kind == "UNEXPECTED_DATA_TYPE":
        expected = schema_pb2.FeatureType.Name(feature.type)
        return Finding(name, split, f"type {expected}", f"type {_schema_type(column)}", f"{column.present:,} rows")
    if kind in ("INT_TYPE_BIG_INT", "INT_TYPE_SMALL_INT", "FLOAT_TYPE_BIG_FLOAT", "FLOAT_TYPE_SMALL_FLOAT"):
        domain = feature.int_domain if kind.startswith("INT") else feature.float_domain
        lowest = domain.min if domain.HasField("min") else -math.inf
        highest = domain.max if domain.HasField("max") else math.inf
        return _out_of_range(split, description, name, lowest, highest, column)
    return Finding(name, split, "what the schema says", description)


def _unexpected_values(
    split: str, description: str, feature: schema_pb2.Feature, domains: dict[str, list[str]], column: Column
) -> Finding:
    allowed = list(feature.string_domain.value) or domains.get(feature.domain, [])
    strange = {value: count for value, count in (column.value_counts or {}).items() if value not in allowed}
    if not allowed or not strange:
        return Finding(feature.name, split, "values of the schema's domain", description)
    seen = listing(most_frequent_first(strange))
    count = rows(sum(strange.values()), column.rows)
    return Finding(feature.name, split, f"one of {listing(sorted(allowed))}", seen, count)


def _out_of_range(split: str, description: str, name: str, least: float, greatest: float, column: Column) -> Finding:
    limits = [f"from {least:g}" if least > -math.inf else "", f"to {greatest:g}" if greatest < math.inf else ""]
    expected = " ".join(["values", *filter(None, limits)])
    if column.least is not None and column.greatest is not None:
        seen = f"values from {column.least:g} to {column.greatest:g}"
        return Finding(name, split, expected, seen, f"among {column.present:,} rows with a value")
    numbers = {value: count for value, count in (column.value_counts or {}).items() if is_number(value)}
    strange = {value: count for value, count in numbers.items() if not least <= float(value) <= greatest}
    if strange:
        return Finding(
            name, split, expected, listing(most_frequent_first(strange)), rows(sum(strange.values()), column.rows)
        )
    return Finding(name, split, expected, description)


def _schema_type(column: Column) -> str:
    return "BYTES" if column.type in ("STRING", "BYTES") else column.type
