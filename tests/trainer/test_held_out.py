"""`training.validation: newest` holds the newest rows out, and trains on none of them."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from janus_core.errors import DataError
from tests.trainer.harness import example_of
from trainer.config import PreprocessingConfig, TimeConfig
from trainer.held_out import comparable, newest_rows
from trainer.input import read_training_data
from trainer.names import TIME
from trainer.preprocessing import preprocessing_fn

DAY = TimeConfig(column="day")


@pytest.mark.parametrize(
    ("times", "fraction", "held_out"),
    [
        ([3, 1, 2, 5, 4, 9, 8, 7, 6, 0], 0.2, {8, 9}),
        ([1.5, -2.0, 0.25], 0.4, {1.5}),
        # Rows with the same time stay together, by the nearest share.
        ([1, 1, 1, 1, 2, 2, 2, 3], 0.2, {3}),
        ([1, 1, 1, 1, 2, 2, 2, 3], 0.4, {2, 3}),
        ([1, 1, 1, 2, 2, 2], 0.01, {2}),
        ([1, 2, 2, 2], 0.1, {2}),
    ],
)
def test_the_newest_rows(times: list[float], fraction: float, held_out: set[float]) -> None:
    chosen = newest_rows(np.array(times), DAY, fraction)
    assert set(np.array(times)[chosen]) == held_out
    assert not held_out & set(np.array(times)[~chosen])


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2025-12-31", "2026-01-01", "2026-01-01T06:30:00"], None),
        (["31/12/2025", "01/01/2026", "02/01/2026"], "%d/%m/%Y"),
        (["2026-01-01T10:00:00+09:00", "2026-01-01T02:00:00Z", "2025-12-31T23:00:00-08:00"], None),
    ],
)
def test_texts_are_compared_as_times(texts: list[str], form: str | None) -> None:
    shuffled = [2, 0, 1, 0]
    instants = comparable(
        np.array([texts[index].encode() for index in shuffled], object), TimeConfig(column="day", format=form)
    )
    assert np.argsort(instants, kind="stable").tolist() == [1, 3, 2, 0]
    assert instants[1] == instants[3]


def test_one_time_has_no_newest_rows() -> None:
    with pytest.raises(DataError, match="all training rows have the same time in column 'day'"):
        newest_rows(np.ones(5), DAY, 0.1)


@pytest.mark.parametrize("limit", [None, 0])
@pytest.mark.parametrize("text", [False, True])
def test_training_rows_include_none_of_the_newest(tmp_path: Path, text: bool, limit: int | None) -> None:
    """In memory and streamed; x is the day, so that what is trained on is seen."""
    kind = tf.string if text else tf.int64
    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in ("x", "y/label", "y/weight")}
    spec[TIME] = tf.io.FixedLenFeature([1], kind)
    days = np.random.default_rng(1).permutation(np.repeat(np.arange(100), 3))
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    for part, chosen in enumerate(np.array_split(days, 3)):
        with tf.io.TFRecordWriter(str(tmp_path / f"examples-{part}.gz"), options) as writer:
            for day in chosen.tolist():
                time = str(np.datetime64("2026-01-01") + day) if text else day
                writer.write(example_of({"x": float(day), "y/label": 1.0, "y/weight": 1.0, TIME: time}))
    data = read_training_data(
        [str(tmp_path / "examples-*.gz")], spec, ["x"], ["y"], 32,
        validation_fraction=0.1, seed=1, memory_limit=limit, sampled=["x"], time=DAY,
    )  # fmt: skip
    train, validation = (
        np.concatenate([batch[0]["x"].numpy()[:, 0] for batch in part]) for part in (data.train, data.validation)
    )
    assert data.in_memory == (limit is None)
    assert (data.rows, data.validation_rows) == (len(train), len(validation)) == (270, 30)
    assert sorted(train) == sorted(np.repeat(np.arange(90), 3))
    assert sorted(validation) == sorted(np.repeat(np.arange(90, 100), 3))
    assert data.sample["x"].max() == 89, "the edges of bins are those of training rows"


def test_transform_passes_the_time_on() -> None:
    config = PreprocessingConfig.model_validate(
        {"features": {"city": {"kind": "hashed", "buckets": 4}}, "labels": {}, "time": "day"}
    )
    city = tf.constant([["rome"], ["oslo"]])
    for given in ([[20260101], [20260102]], [["2026-01-01"], ["2026-01-02"]]):
        inputs = {"city": city, "day": tf.sparse.from_dense(tf.constant(given))}
        outputs = preprocessing_fn(inputs, {"preprocessing": config.model_dump_json()})
        assert outputs[TIME].numpy().tolist() == tf.constant(given).numpy().tolist()
