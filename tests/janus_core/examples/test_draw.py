"""A sample of a split's rows."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from janus_core.examples.draw import draw_rows


@pytest.fixture
def split(tmp_path: Path) -> str:
    """300 numbered records in three files."""
    for shard in range(3):
        with tf.io.TFRecordWriter(str(tmp_path / f"data-0000{shard}-of-00003")) as writer:
            for row in range(100):
                writer.write(f"{shard * 100 + row:03}".encode())
    return str(tmp_path)


@pytest.mark.slow
def test_a_sample_is_drawn_evenly_and_always_the_same(split: str) -> None:
    drawn = draw_rows(split, 60, seed=7)
    assert (len(drawn.records), drawn.read) == (60, 300)
    assert drawn.records == sorted(set(drawn.records))
    assert draw_rows(split, 60, seed=7).records == drawn.records
    assert draw_rows(split, 60, seed=8).records != drawn.records
    of_each = np.zeros(300)
    for seed in range(20):
        of_each[[int(record) for record in draw_rows(split, 60, seed).records]] += 1
    # 20 draws with a chance of 0.2: 4 ± 1.8.
    assert of_each.mean() == 4
    assert abs(of_each - 4).max() < 5 * 1.8
    assert abs(of_each.reshape(3, 100).mean(axis=1) - 4).max() < 0.6


def test_all_files_of_a_large_split_are_read_where_it_matters(split: str) -> None:
    drawn = draw_rows(split, 3, seed=1)
    assert (len({record[:1] for record in drawn.records}), drawn.read) == (1, 100)
    assert draw_rows(split, 3, seed=1, whole=True).read == 300


def test_the_places_of_drawn_rows_are_known(split: str) -> None:
    drawn = draw_rows(split, 50, seed=2)
    assert [f"{file * 100 + row:03}".encode() for file, row in drawn.places] == drawn.records


def test_all_of_a_small_split_is_the_sample(split: str) -> None:
    assert draw_rows(split, 1000, seed=0).records == [f"{row:03}".encode() for row in range(300)]
