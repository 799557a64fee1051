"""Checks of the statistics against what the configuration expects."""

import math
from collections import Counter
from collections.abc import Iterator

from components.anomaly_gate.column import Column
from components.anomaly_gate.expectations import (
    Expectations,
    FeatureExpectation,
    LabelExpectation,
    WeightExpectation,
)
from components.anomaly_gate.finding import Finding, listing, most_frequent_first, rows

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
