"""One box in an image: its centre and size, trained by smooth absolute error and generalised IoU."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.base import Head, logit_of_mean
from trainer.names import log_name

SMOOTH = 0.1
"""The error, as a share of the image, below which it counts squared, and by which the smooth error is divided."""
_SMALLEST = 1e-4


class BoxHead(Head):
    """Predicts [top, left, bottom, right] as shares of the image. The raw output is logits of centre and size."""

    units = 4
    headline = "iou"

    def constant_output(self) -> np.ndarray:
        """The mean centre and the mean size."""
        mean = np.average(_centre_and_size(self.statistics.labels), axis=0, weights=self.statistics.weights)
        mean = np.clip(mean, _SMALLEST, 1 - _SMALLEST)
        return np.log(mean / (1 - mean)).astype(np.float32)

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """By the mean centre and size."""
        return logit_of_mean(raw)

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Smooth absolute error (Girshick 2015, "Fast R-CNN") of the four numbers plus 1 - GIoU, float32 [batch]."""
        boxes = _corners(raw)
        size = tf.abs(boxes - labels)
        smooth = tf.where(size <= SMOOTH, 0.5 * tf.square(size) / SMOOTH, size - 0.5 * SMOOTH) / SMOOTH
        return tf.reduce_mean(smooth, axis=1) + 1 - overlaps(labels, boxes)[1]

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The box within the image, float32 [batch, 4]."""
        return {self.name: tf.clip_by_value(_corners(raw), 0.0, 1.0)}

    def make_metric(self) -> keras.metrics.Metric:
        """Mean intersection over union."""
        return keras.metrics.Mean(name=f"{log_name(self.name)}_iou")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        metric.update_state(overlaps(labels, self.outputs(raw)[self.name])[0], sample_weight=weights)

    def label_dtype(self) -> tf.DType:
        """The labels' dtype."""
        return tf.float32


def overlaps(labels: tf.Tensor, boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Intersection over union, and the generalised one of Rezatofighi et al. (2019), of pairs of boxes.

    The latter is less by the share of the smallest box around both that neither of them covers.

    Args:
        labels, boxes: float32 [batch, 4], top, left, bottom, right.

    Returns:
        float32 [batch] each.
    """
    within = _area(tf.maximum(labels[:, :2], boxes[:, :2]), tf.minimum(labels[:, 2:], boxes[:, 2:]))
    union = _area(labels[:, :2], labels[:, 2:]) + _area(boxes[:, :2], boxes[:, 2:]) - within
    around = _area(tf.minimum(labels[:, :2], boxes[:, :2]), tf.maximum(labels[:, 2:], boxes[:, 2:]))
    iou = tf.math.divide_no_nan(within, union)
    return iou, iou - tf.math.divide_no_nan(around - union, around)


def _area(first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.maximum(last - first, 0.0), axis=1)


def _centre_and_size(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def _corners(raw: tf.Tensor) -> tf.Tensor:
    """Logits of centre and size [batch, 4] → top, left, bottom, right, which may be beyond the image."""
    centre, size = tf.split(tf.sigmoid(raw), 2, axis=1)
    return tf.concat([centre - size / 2, centre + size / 2], axis=1)
