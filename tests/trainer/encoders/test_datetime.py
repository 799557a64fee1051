"""What a feature of dates gives the network, with hand-computed values."""

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from pydantic import ValidationError

from tests.trainer.harness import run_transform
from trainer.config import TrainerConfig
from trainer.config.features.datetime import DatetimeFeature
from trainer.network import binned_features, feature_edges

DAYS = [dt.datetime(2023, 1, 1) + dt.timedelta(days=3 * n, hours=n % 24) for n in range(200)]
WEEK = DAYS[:2]


def config_of(features: dict[str, Any]) -> TrainerConfig:
    return TrainerConfig.model_validate(
        {
            "seed": 1,
            "features": features,
            "tasks": {"y": {"kind": "regression", "label": "y"}},
            "model": {},
            "training": {},
        }
    )


@pytest.mark.slow
def test_parts(tmp_path: Path) -> None:
    table = pa.table(
        {
            "row": pa.array(range(202), pa.float32()),
            "at": [*(day.isoformat() for day in DAYS), None, "soon"],
            "ordered": [*((day - dt.timedelta(days=2.5)).strftime("%d.%m.%Y %H:%M") for day in DAYS), None, None],
            "came": [*(day.strftime("%d.%m.%Y %H:%M") for day in DAYS), None, DAYS[0].strftime("%d.%m.%Y %H:%M")],
            "short": [*([day.date().isoformat() for day in WEEK] * 101)],
            "y": pa.array(np.zeros(202), pa.float32()),
        }
    )
    config = config_of(
        {
            "row": {"kind": "numeric", "scale": "none"},
            "at": {"kind": "datetime", "missing_indicator": True},
            "short": {"kind": "datetime"},
            "came": {"kind": "datetime", "format": "%d.%m.%Y %H:%M", "parts": ["hour", "weekday"], "since": "ordered"},
        }
    )
    transform = run_transform(table, config, tmp_path)
    records = tf.data.TFRecordDataset(sorted(map(str, tmp_path.glob("examples*.gz"))), compression_type="GZIP")
    spec = transform.transformed_feature_spec()
    rows = tf.io.parse_example(list(records.as_numpy_iterator()), spec)
    order = np.argsort(rows["row"].numpy()[:, 0])
    found = {name: values.numpy()[order] for name, values in rows.items()}

    days = np.array([(day - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1) for day in DAYS])
    month = np.array([(day.month - 1 + (day.day - 1) / 31) / 12 for day in DAYS])
    clock = days % 1
    weekday = np.array([(day.weekday() + part) / 7 for day, part in zip(DAYS, clock, strict=True)])
    cycles = [f(2 * math.pi * turns) for turns in (month, weekday, clock) for f in (np.sin, np.cos)]
    expected = np.stack([(days - days.mean()) / days.std(), *cycles], axis=1)
    np.testing.assert_allclose(found["at"][:200], expected, atol=1e-4)
    assert (found["at"][200:] == 0).all()
    assert found["at.missing"][:, 0].tolist() == [0.0] * 200 + [1.0, 1.0]
    # Three days are neither a year nor a week, and have no times of day.
    assert (found["short"][:, 1:] == 0).all()
    assert set(np.round(found["short"][:, 0], 4)) == {-1.0, 1.0}
    np.testing.assert_allclose(found["came"][:200, 2:4], expected[:, 5:7], atol=1e-4)
    # The same distance everywhere, so it is constant.
    np.testing.assert_allclose(found["came"][:, 4:], 0, atol=1e-4)
    # Later dates are as the latest in training.
    later = transform.transform_features_layer()(
        {name: tf.sparse.from_dense([value]) for name, value in {"at": ["9999-12-31"]}.items()}
        | {"row": tf.sparse.from_dense([[1.0]])}
        | {name: tf.sparse.from_dense([[DAYS[0].isoformat()]]) for name in ("ordered", "came", "short")}
    )
    assert later["at"].numpy()[0, 0] == pytest.approx(expected[-1, 0], abs=1e-5)


def test_the_trend_is_encoded_piecewise_linearly() -> None:
    config = config_of(
        {
            "at": {"kind": "datetime", "encoding": "piecewise_linear"},
            "raw": {"kind": "datetime", "column": "at"},
            "hour": {"kind": "datetime", "column": "at", "parts": ["hour"], "encoding": "piecewise_linear"},
        }
    )
    assert binned_features(config) == ["at"]
    rows = np.stack([np.arange(200.0), np.zeros(200)], axis=1).astype(np.float32)
    edges = feature_edges(config, {"at": rows})["at"]
    assert edges.min() == 0
    assert edges.max() == 199
    # Transform does not depend on it.
    assert config.preprocessing().features["at"] == config.preprocessing().features["raw"].model_copy(
        update={"column": None}
    )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"format": "%d.%m"}, "at least a year"),
        ({"format": "%Y-%q"}, "'%q' is not supported"),
        ({"parts": []}, "at least 1 item"),
        ({"parts": ["minute"]}, "Input should be 'trend'"),
        ({"unit": "days"}, "Extra inputs"),
    ],
)
def test_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DatetimeFeature.model_validate({"kind": "datetime", **keys})
