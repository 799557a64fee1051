"""Metrics of one box per image: [top, left, bottom, right] as shares of it."""

import numpy as np

from components.metrics.metric import WeightedMean
from components.metrics.rows import Rows
from components.metrics.statistic import RowSums

HIT = 0.5
"""The intersection over union from which on a box counts as found (Everingham et al. 2010, "PASCAL VOC")."""


class BoxSums(RowSums):
    """Sums of the rows' intersection over union, and of those that reach `HIT`."""

    def of_rows(self, rows: Rows) -> np.ndarray:
        shapes = {rows.predictions.shape[1], rows.labels.shape[-1] if rows.labels.ndim == 2 else 1}
        if shapes != {4}:
            raise ValueError("a box is four numbers")
        iou = intersection_over_union(rows.labels.astype(np.float64), rows.predictions)
        return np.stack([iou, iou >= HIT], axis=1)


def intersection_over_union(labels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Of pairs of boxes, [n, 4] each: float64 [n]; 0 where both are empty."""

    def area(first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.prod(np.maximum(last - first, 0.0), axis=1)

    within = area(np.maximum(labels[:, :2], boxes[:, :2]), np.minimum(labels[:, 2:], boxes[:, 2:]))
    union = area(labels[:, :2], labels[:, 2:]) + area(boxes[:, :2], boxes[:, 2:]) - within
    return np.divide(within, union, out=np.zeros_like(union), where=union > 0)


class MeanIoU(WeightedMean):
    """Mean intersection over union of the predicted box and the label's; NaN without rows."""

    statistic_class = BoxSums


class ShareOfHits(WeightedMean):
    """Share of the rows whose intersection over union is at least 0.5; NaN without rows."""

    statistic_class = BoxSums
    column = 2
