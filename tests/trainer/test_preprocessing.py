"""Transformed features and labels against numpy on the same table."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.trainer.conftest import Trained
from tests.trainer.harness import run_transform
from trainer.config import TrainerConfig
from trainer.encoders.categorical import unescaped

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def transformed(untrained: Trained) -> dict[str, np.ndarray]:
    """All transformed rows, in the table's order."""
    files = sorted(str(f) for f in untrained.folder.glob("examples*.gz"))
    records = list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())
    parsed = tf.io.parse_example(records, untrained.transform.transformed_feature_spec())
    assert len(records) == untrained.table.num_rows
    return {name: values.numpy() for name, values in parsed.items()}


def raw(untrained: Trained, name: str) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in untrained.table[name].to_pylist()], np.float64)


def by_value(values: np.ndarray) -> np.ndarray:
    return np.sort(values.reshape(-1))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x_mean", lambda x: (np.where(np.isnan(x), np.nanmean(x), x) - np.nanmean(x)) / np.nanstd(x)),
        ("x", lambda x: (np.where(np.isnan(x), np.nanmedian(x), x) - np.nanmean(x)) / np.nanstd(x)),
        ("x_plain", lambda x: np.where(np.isnan(x), -9.0, x)),
        (
            "x_range",
            lambda x: (np.where(np.isnan(x), np.nanmean(x), x) - np.nanmin(x)) / (np.nanmax(x) - np.nanmin(x)),
        ),
    ],
)
def test_numeric(untrained: Trained, transformed: dict[str, np.ndarray], name: str, expected: object) -> None:
    x = raw(untrained, "x")
    # The median comes from a quantile sketch: near, not equal.
    tolerance = 0.05 if name == "x" else 1e-5
    np.testing.assert_allclose(by_value(transformed[name]), by_value(expected(x)), atol=tolerance)  # type: ignore[operator]


def test_log_fills_in_the_columns_own_unit(untrained: Trained, transformed: dict[str, np.ndarray]) -> None:
    x = raw(untrained, "x")
    squashed = np.sign(x) * np.log1p(np.abs(x))
    filled = np.where(np.isnan(x), np.log1p(2.5), squashed)
    expected = (filled - np.nanmean(squashed)) / np.nanstd(squashed)
    np.testing.assert_allclose(by_value(transformed["x_log"]), by_value(expected), atol=1e-5)


def test_constant_column_is_zero(transformed: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(transformed["constant"], 0.0, atol=1e-6)


def test_missing_indicator(untrained: Trained, transformed: dict[str, np.ndarray]) -> None:
    assert transformed["x.missing"].sum() == np.isnan(raw(untrained, "x")).sum()


def test_quantile_is_uniform_over_the_present_values(transformed: dict[str, np.ndarray]) -> None:
    present = transformed["x.missing"] == 0
    counts, _ = np.histogram(transformed["x_rank"][present], bins=4, range=(0, 1))
    assert counts.min() > 0.23 * present.sum()


def test_buckets(untrained: Trained, transformed: dict[str, np.ndarray]) -> None:
    present = transformed["x.missing"] == 0
    counts = np.bincount(transformed["x_bucket"][present])
    assert len(counts) == 5
    assert counts.min() > 0.18 * counts.sum()
    x = raw(untrained, "x")
    filled = np.where(np.isnan(x), np.nanmean(x), x)
    np.testing.assert_array_equal(
        np.bincount(transformed["x_fixed"].reshape(-1)), np.bincount(np.digitize(filled, [-1.0, 0.0, 1.0]))
    )


def test_vocabulary_ids(untrained: Trained, transformed: dict[str, np.ndarray]) -> None:
    cities = untrained.table["city"].to_pylist()
    counts = np.bincount(transformed["city"].reshape(-1), minlength=4)
    assert counts.tolist()[:4] == [cities.count(v) for v in (None, "rome", "oslo", "lima")]
    assert untrained.transform.vocabulary_by_name("top_vocabulary") == [b"rome"]
    top = np.bincount(transformed["top"].reshape(-1))
    assert top.tolist() == [cities.count(None), cities.count("rome"), cities.count("oslo") + cities.count("lima")]


def test_whole_numbers_are_categories(untrained: Trained, transformed: dict[str, np.ndarray]) -> None:
    codes = untrained.table["code"].to_pylist()
    assert set(untrained.transform.vocabulary_by_name("code_vocabulary")) == {b"0", b"1", b"2", b"3"}
    assert (transformed["code"] == 0).sum() == codes.count(None)


def test_hashed_ids_leave_zero_to_missing(untrained: Trained, transformed: dict[str, np.ndarray]) -> None:
    assert (transformed["hash"] == 0).sum() == untrained.table["city"].null_count
    assert transformed["hash"].max() <= 8


def test_cyclical_points_lie_on_the_circle(transformed: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose((transformed["hour"] ** 2).sum(axis=1), 1.0, atol=1e-6)


def test_vector_is_scaled_by_position(untrained: Trained, transformed: dict[str, np.ndarray]) -> None:
    v = np.array(untrained.table["v"].to_pylist())
    scaled = (v - v.mean(axis=0)) / v.std(axis=0)
    np.testing.assert_allclose(np.sort(transformed["v"], axis=0), np.sort(scaled, axis=0), atol=1e-5)
    assert transformed["v_range"].min() == 0.0
    assert transformed["v_range"].max() == 1.0


def test_labels_and_weights(untrained: Trained, transformed: dict[str, np.ndarray]) -> None:
    for task in ("late", "level", "delay"):
        column = untrained.table[task]
        assert transformed[f"{task}/weight"].sum() == len(column) - column.null_count
    present = transformed["late/weight"] > 0
    assert transformed["late/label"][present].sum() == untrained.table["late"].to_pylist().count("yes")
    counts = np.bincount(transformed["level/label"][transformed["level/weight"] > 0].reshape(-1), minlength=3)
    assert counts.tolist() == [untrained.table["level"].to_pylist().count(v) for v in (0, 1, 2)]
    np.testing.assert_allclose(transformed["delay/label"].sum(), np.nansum(raw(untrained, "delay")), rtol=1e-5)


ODD_VALUES = [
    "12 High St\nLeeds",
    "12 High St\nYork",
    "12 High St\rLeeds",
    "12 High St\r\nLeeds",
    "12 High St\\nLeeds",
    "12 High St\x1bnLeeds",
    " ",
    " leading",
    "leading",
    "leading ",
    "a\0b",
    "a",
    "a\0",
    "tab\tbed",
    "not UTF-8: \udcff",
    "x" * 100_000,
    "x" * 99_999 + "y",
]
"""Each once and a bit: what a text file, or C's strings, might run together (lone surrogates stand for raw bytes)."""


def test_no_value_is_left_out_of_a_vocabulary_or_taken_for_another(tmp_path: Path) -> None:
    config = TrainerConfig.model_validate(
        {
            "seed": 1,
            "features": {"v": {"kind": "categorical"}},
            "tasks": {"y": {"kind": "regression", "label": "y"}},
            "model": {"trunk": {"kind": "shared_bottom", "units": [2]}},
            "training": {"epochs": 1},
        }
    )
    values = [os.fsencode(value) for value in ODD_VALUES]
    table = pa.table({"v": pa.array([*values, None, ""], pa.binary()), "y": pa.array([1.0] * 19, pa.float32())})
    transform = run_transform(table, config, tmp_path)
    assert {unescaped(word) for word in transform.vocabulary_by_name("v_vocabulary")} == set(values)
    served = transform.transform_features_layer()({"v": tf.sparse.from_dense(tf.constant([[v] for v in values]))})
    assert sorted(served["v"].numpy().ravel().tolist()) == list(range(1, len(values) + 1))
