"""Checks of the statistics against what the configuration expects, and of TFDV's anomalies against the schema."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.anomaly_gate.column import Column
from janus_core.strict import StrictModel
from janus_core.tables.missing_markers import is_number


class LabelExpectation(StrictModel):
    """A task's label.

    Whether a label is one of the task's classes is checked where rows are read, by ExampleGen; but not of several
    classes in one string.

    Attributes:
        task: the task's name.
        numeric: whether it is a number.
        least: the least that it may be.
        classes: what each part may be, of a label that holds several classes in one string.
        separator: what separates them.
    """

    task: str
    numeric: bool = False
    least: float | None = None
    classes: list[str] = []
    separator: str | None = None


class WeightExpectation(StrictModel):
    """A column of row weights, and the tasks that are weighted by it."""

    tasks: list[str]


class FeatureExpectation(StrictModel):
    """A feature's column."""

    feature: str
    numeric: bool = False
    length: int | None = 1
    """Values in a row; None: any number."""


class Expectations(StrictModel):
    """What the gate checks.

    Attributes:
        labels: column → its label's expectation.
        features: column → its feature's expectation.
        weights: column → its tasks.
        curated: whether the schema was written down, or inferred from the very training split it is checked with. In
            the latter case a new value or a missing one in the other split is not an error.
        sensitive: columns whose values no message may show.
    """

    labels: dict[str, LabelExpectation]
    features: dict[str, FeatureExpectation]
    weights: dict[str, WeightExpectation] = {}
    curated: bool
    sensitive: list[str] = []


@dataclass(frozen=True)
class Finding:
    """What was expected of a column in a split, what was seen, and how often."""

    column: str
    split: str
    expected: str
    seen: str
    count: str = ""

    def without_values(self) -> "Finding":
        """The same of a column whose values may not be shown."""
        if self.seen.startswith("none"):
            return self
        expected = "values of the schema's domain" if self.expected.startswith("one of ") else self.expected
        return replace(self, expected=expected, seen="values that are not shown (sensitive)")

    def __str__(self) -> str:
        many = f" ({self.count})" if self.count else ""
        return f"{self.column}, {self.split} split: expected {self.expected}; saw {self.seen}{many}"


def rows(count: int, total: int) -> str:
    """`12 of 1,000 rows`."""
    return f"{count:,} of {total:,} rows"


def most_frequent_first(counts: Mapping[str, int]) -> list[str]:
    """The values, in an order that does not depend on how they were counted."""
    return sorted(counts, key=lambda value: (-counts[value], value))


def listing(values: list[str], limit: int = 5) -> str:
    """The first few values, and how many more there are."""
    shown = ", ".join(f"'{value}'" for value in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"


NUMERIC_TYPES = ("INT", "FLOAT")
TOO_LONG = "__LARGE_BYTES__"
"""What TFDV's statistics hold in place of strings of more than 1,024 bytes."""


def check_split(split: str, row_count: int, columns: dict[str, Column], expectations: Expectations) -> list[Finding]:
    """What contradicts the configuration in one split."""
    if row_count == 0:
        return [Finding("(all columns)", split, "rows", "none; correct data.split or the data", "0 rows")]
    findings: list[Finding] = []
    for name, label in expectations.labels.items():
        findings += _check_label(split, row_count, name, columns.get(name), label)
    for name, weight in expectations.weights.items():
        findings += _check_weight(split, row_count, name, columns.get(name), weight)
    for name, feature in expectations.features.items():
        findings += _check_feature(split, row_count, name, columns.get(name), feature)
    return findings


def _check_label(
    split: str, row_count: int, name: str, column: Column | None, label: LabelExpectation
) -> Iterator[Finding]:
    if column is None or column.present <= 0:
        purpose = "cannot be trained" if split == "train" else "cannot be evaluated"
        seen = f"none, so task '{label.task}' {purpose}"
        yield Finding(name, split, f"labels of task '{label.task}'", seen, rows(row_count, row_count))
        return
    if label.numeric:
        yield from _check_number(split, column, f"a number, the label of task '{label.task}'", label.least)
    if label.separator is not None:
        yield from _check_classes(split, column, label)


def _check_classes(split: str, column: Column, label: LabelExpectation) -> Iterator[Finding]:
    """Of the most frequent values, which are all that the statistics hold."""
    strange: Counter[str] = Counter()
    for value, count in (column.value_counts or {}).items():
        if value == TOO_LONG:
            continue
        parts = {part.strip() for part in value.split(label.separator)}
        strange.update(dict.fromkeys(parts - {"", *label.classes}, count))
    if strange:
        expected = f"classes of task '{label.task}' ({listing(label.classes)}), with '{label.separator}' between them"
        often = f"{sum(strange.values()):,} times"
        yield Finding(column.name, split, expected, listing(most_frequent_first(strange)), often)


def _check_weight(
    split: str, row_count: int, name: str, column: Column | None, weight: WeightExpectation
) -> Iterator[Finding]:
    tasks = ", ".join(f"'{task}'" for task in weight.tasks)
    purpose = f"the sample_weight of task {tasks}"
    if column is None or column.present <= 0:
        yield Finding(name, split, f"a number, {purpose}", "none", rows(row_count, row_count))
        return
    found = list(_check_number(split, column, f"a number, {purpose}", least=0.0))
    yield from found
    if not found and column.greatest == 0:
        yield Finding(name, split, f"a weight above 0, {purpose}", "0 only", rows(column.present, column.rows))


def _check_feature(
    split: str, row_count: int, name: str, column: Column | None, feature: FeatureExpectation
) -> Iterator[Finding]:
    if column is None or column.present <= 0:
        if split == "train":
            yield Finding(name, split, f"values for feature '{feature.feature}'", "none", rows(row_count, row_count))
        return
    if feature.numeric:
        yield from _check_number(split, column, f"a number for feature '{feature.feature}'")
    if feature.length is None:
        return
    if column.longest > feature.length or (feature.length > 1 and column.shortest < feature.length):
        lengths = f"{column.shortest}" if column.shortest == column.longest else f"{column.shortest}-{column.longest}"
        expected = f"{feature.length} value(s) in a row for feature '{feature.feature}'"
        yield Finding(name, split, expected, f"{lengths} in a row")


def _check_number(split: str, column: Column, expected: str, least: float | None = None) -> Iterator[Finding]:
    if column.value_counts is not None and column.type not in NUMERIC_TYPES:
        values = most_frequent_first(column.value_counts)
        yield Finding(
            column.name, split, expected, f"text such as {listing(values, limit=3)}", f"{column.present:,} rows"
        )
    elif column.infinite:
        yield Finding(column.name, split, expected, "infinity", rows(column.infinite, column.rows))
    elif any(extreme is not None and math.isinf(extreme) for extreme in (column.least, column.greatest)):
        yield Finding(column.name, split, expected, "infinity", "at least 1 row")
    elif least is not None and column.least is not None and column.least < least:
        seen = f"values from {column.least:g} to {column.greatest:g}"
        count = f"among {column.present:,} rows with a value"
        yield Finding(column.name, split, f"{expected}, of at least {least:g}", seen, count)


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
