"""Warm-up rows have a real row's columns, and nobody's values."""

import numpy as np
import pytest
from tensorflow.core.example import example_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.serving_check.synthetic import PLACEHOLDER, synthetic_rows, without_values
from tests.components.anomaly_gate.statistics import statistics_of
from tests.components.examples import example

COUNT = 500
AGES = np.random.RandomState(3).normal(40, 9, COUNT)
TABLE = {
    "age": [float(age) for age in AGES],
    "visits": [int(age) % 7 for age in AGES],
    "town": ["Ulm" if row % 3 else "Köln" for row in range(COUNT)],
    "mail": [f"p{row}@example.com" for row in range(COUNT)],
    "salary": [1000.0 + row for row in range(COUNT)],
    "tags": [["a", "b"][: 1 + row % 2] for row in range(COUNT)],
}
REAL = [
    example({"age": 33.3, "visits": 3, "town": b"Ulm", "mail": b"p0@example.com", "salary": 1000.0, "empty": []}),
    example({"age": 44.4, "tags": [b"a", b"b"], "vector": [1.5, 2.5, 3.5], "wide": b""}),
]


@pytest.fixture(scope="module")
def statistics() -> statistics_pb2.DatasetFeatureStatistics:
    return statistics_of(TABLE).datasets[0]


def values(row: bytes) -> dict[str, list[object]]:
    features = example_pb2.Example.FromString(row).features.feature
    return {name: list(getattr(f, f.WhichOneof("kind")).value) for name, f in features.items()}


def test_columns_kinds_and_lengths_are_real_and_values_are_not(
    statistics: statistics_pb2.DatasetFeatureStatistics,
) -> None:
    rows = synthetic_rows(REAL, statistics, 8, ["salary"])
    assert rows == synthetic_rows(REAL, statistics, 8, ["salary"]), "the same model gives the same bytes"
    found = [values(row) for row in rows]
    for row in found:
        assert set(row) == {"age", "visits", "town", "mail", "salary", "tags", "vector", "wide"}
        assert row["town"][0] in (b"Ulm", "Köln".encode())
        assert row["mail"] == [PLACEHOLDER], "a value of one row says whose it is"
        assert row["wide"] == [PLACEHOLDER]
        assert row["salary"] == [0.0]
        assert set(row["tags"]) == {b"a", b"b"}
        assert len(row["vector"]) == 3
        assert np.percentile(AGES, 5) < row["age"][0] < np.percentile(AGES, 95)
        assert row["age"][0] == pytest.approx(float(f"{row['age'][0]:.3g}")), "three digits"
        assert row["age"][0] not in np.float32(AGES)
        assert isinstance(row["visits"][0], int)
    assert len({row["age"][0] for row in found}) > 3
    assert found[0]["town"] == [b"Ulm"], "the most frequent one comes first"


def test_real_rows_lose_sensitive_values_only(statistics: statistics_pb2.DatasetFeatureStatistics) -> None:
    made = synthetic_rows(REAL, statistics, 2, ["mail", "salary"])
    first, second = (values(row) for row in without_values(REAL, made, ["mail", "salary"]))
    assert first["mail"] == [PLACEHOLDER]
    assert first["salary"] == [0.0]
    assert first["town"] == [b"Ulm"]
    assert second == values(REAL[1]), "a value that was missing stays missing"


def test_dates_are_made_ones_of_their_form(statistics: statistics_pb2.DatasetFeatureStatistics) -> None:
    rows = synthetic_rows(REAL, statistics, 2, [], dates={"mail": "", "town": "%d/%m/%y", "wide": "epoch_ms"})
    first, second = map(values, rows)
    assert (first["mail"], second["mail"]) == ([b"2020-01-15T12:00:00Z"], [b"2020-02-21T12:00:00Z"])
    assert (first["town"], first["wide"]) == ([b"15/01/20"], [b"1579089600000"])
