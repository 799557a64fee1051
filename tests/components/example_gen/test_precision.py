"""Columns of which float32 would lose what they are used for are refused by name, and no others."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.example_gen.precision import Rounding, Use, precision_problems, roundings
from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from tests.components.example_gen.helpers import data_config, rows, run, write_csv

NUMBER, NAME, LABEL = Use(role="number"), Use(role="category"), Use(role="regression")
RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=20_000)


def problems(values: object, use: Use, parts: int = 1) -> list[str]:
    column = pa.array(values)
    merged: dict[str, Rounding] = {}
    for start in range(0, len(column), len(column) // parts):
        part = column.slice(start, len(column) // parts)
        for name, found in roundings(
            Batch({"x": part}, len(part), lambda row: f"t.csv, row {row}"), {"x": [use]}
        ).items():
            merged[name] = merged[name].merged(found) if name in merged else found
    return list(precision_problems(merged, {"x": [use]}))


@pytest.mark.parametrize(
    ("values", "use", "message"),
    [
        (
            (1e6 + NORMAL).round(2),
            LABEL,
            r"around 1000000\.\d+ that differ by about 1\.3.*give its task `offset: 1000000`",
        ),
        ((1.7e9 + 600 * NORMAL).round(), LABEL, "`offset: 1700000000`"),
        ((1.7e9 + 600 * NORMAL).round().astype(np.int64), LABEL, "`offset: 1700000000`"),
        (1e6 + NORMAL, NUMBER, r"column 'x' holds.*subtract 1000000 in the table"),
        # A few values far away do not hide that the others are rounded.
        (np.where(np.arange(20_000) % 50, 1.7e9 + 600 * NORMAL, 0.0), NUMBER, "subtract 1700000"),
        (1.7e9 + 1e7 * NORMAL, Use(role="cyclical", period=60), "around 17"),
        ([100_000_000 + i % 40 for i in range(900)], NUMBER, "or make it categorical if the numbers are names"),
        (
            [0.5, 16777217.5, 16777218.1],
            NAME,
            r"t.csv, row 2: .*16777217.5 and 16777218.1.*same number",
        ),
        ([1, 2**53 + 1], NAME, r"t.csv, row 1: column 'x' holds 9007199254740993, .*up to 9007199254740991"),
    ],
)
def test_refused(values: object, use: Use, message: str) -> None:
    (problem,) = problems(values, use)
    assert pa.compute.match_substring_regex(pa.array([problem]), message)[0].as_py(), problem


@pytest.mark.parametrize(
    ("values", "use"),
    [
        (NORMAL, LABEL),
        (np.exp(10 * NORMAL), LABEL),
        (37.77 + 0.02 * NORMAL, NUMBER),
        (1.7e9 + 1e7 * NORMAL, NUMBER),
        ((1.7e9 + 6000 * NORMAL).round().astype(np.int64), NUMBER),
        (RNG.integers(1990, 2025, 900), LABEL),
        (np.full(900, 0.1), LABEL),
        ([0.1, 0.2, 719.3], NAME),
        ([1, 2**53 + 1], Use(role="classes")),
        ([float("nan"), None, float("inf")], NUMBER),
    ],
)
def test_accepted(values: object, use: Use) -> None:
    assert problems(values, use) == []


def test_sorted_numbers_are_judged_by_all_batches() -> None:
    assert problems(np.sort(1.7e9 + 1e7 * NORMAL), NUMBER, parts=200) == []


def test_labels_are_written_less_their_offset(tmp_path: Path) -> None:
    labels = (1e9 + NORMAL[:200]).round(3)
    path = write_csv(tmp_path / "t.csv", ["y", "n"], [[repr(y), 10**18 + i] for i, y in enumerate(labels.tolist())])
    uses = {"y": [LABEL], "n": [LABEL]}
    with pytest.raises(DataError, match=r"`offset: 1000000000`,"):
        run(data_config(path), tmp_path / "refused", uses=uses)
    offsets = {"y": 10**9, "n": 10**18}
    found = rows(run(data_config(path), tmp_path / "out", uses=uses, offsets=offsets))
    written = {row["n"][1][0]: row["y"][1][0] for row in found}
    assert sorted(written) == list(range(200))
    np.testing.assert_allclose([written[i] for i in range(200)], labels - 1e9, rtol=1e-6, atol=1e-9)


def test_values_of_sensitive_columns_are_not_shown() -> None:
    for values, use in (([16777217.5, 16777218.1], NAME), ([2**53 + 1], NAME), (1e6 + NORMAL, NUMBER)):
        batch = Batch({"x": pa.array(values)}, len(values), lambda row: "t.csv, line 2")
        (problem,) = precision_problems(roundings(batch, {"x": [use]}, ["x"]), {"x": [use]}, ["x"])
        assert not any(shown in problem for shown in ("1677721", "9007199254740993", "1000000"))
