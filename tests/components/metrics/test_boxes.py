"""Metrics of boxes by hand-computed values."""

import math

import numpy as np
import pytest

from components.metrics.boxes import MeanIoU, ShareOfHits
from components.metrics.rows import labelled, make_rows, one_group

LABEL = [0.0, 0.0, 0.4, 0.4]


def measured(labels: list[list[float]], boxes: list[list[float]], weights: list[float]) -> list[float]:
    rows = make_rows(np.array(labels).reshape(-1, 4), np.array(boxes).reshape(-1, 4), np.array(weights))
    found = []
    for metric in (MeanIoU(), ShareOfHits()):
        (state,) = metric.statistic().of_groups(*labelled(rows, one_group(len(weights))))
        found.append(metric.value_of(state))
    return found


def test_overlaps_are_averaged_by_weight_and_masked_rows_are_left_out() -> None:
    boxes = [[0.0, 0.0, 0.2, 0.4], [0.2, 0.2, 0.6, 0.6], [0.0, 0.0, 1.0, 1.0]]
    # A half; 0.04 of 0.16 + 0.16 - 0.04; the last has no weight.
    assert measured([LABEL] * 3, boxes, [1.0, 3.0, 0.0]) == pytest.approx([(0.5 + 3 / 7) / 4, 0.25])


def test_boxes_apart_or_empty_or_turned_do_not_overlap() -> None:
    boxes = [[0.5, 0.5, 0.9, 0.9], [0.1, 0.1, 0.1, 0.1], [0.4, 0.4, 0.0, 0.0]]
    assert measured([LABEL, [0.1, 0.1, 0.1, 0.1], LABEL], boxes, [1.0] * 3) == [0, 0]


def test_without_rows_and_with_nan_there_is_no_value() -> None:
    assert all(map(math.isnan, measured([LABEL], [LABEL], [0.0])))
    assert all(map(math.isnan, measured([LABEL] * 2, [LABEL, [math.nan] * 4], [1.0] * 2)))


def test_anything_but_four_numbers_is_refused() -> None:
    rows = make_rows(np.zeros((2, 3)), np.zeros((2, 4)), np.ones(2))
    with pytest.raises(ValueError, match="four numbers"):
        MeanIoU().statistic().of_groups(rows, one_group(2))
