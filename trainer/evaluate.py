"""Predictions of a trained network on transformed examples, equal to those of its signatures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from trainer.heads.base import Head
from trainer.names import label_name, weight_name

EVALUATED_BATCH = 4096


@dataclass(frozen=True)
class Predictions:
    """One task's labels and predictions in a batch.

    Attributes:
        labels: [rows, 1] or [rows, classes], as Transform wrote them, but with their offset.
        weights: float32 [rows, 1]; 0 masks the row.
        outputs: the signature's outputs by name, [rows, width] each, without the classes' names.
    """

    labels: np.ndarray
    weights: np.ndarray
    outputs: dict[str, np.ndarray]


def read_transformed(patterns: Sequence[str], transform: tft.TFTransformOutput, keep: bool) -> tf.data.Dataset:
    """Batches of all columns of transformed examples, in the order of the files, which are gzipped TFRecords.

    With `keep`, they stay in memory after the first reading.
    """
    spec = transform.transformed_feature_spec()
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    batches = (
        tf.data.TFRecordDataset(files, compression_type="GZIP")
        .batch(EVALUATED_BATCH)
        .map(lambda records: tf.io.parse_example(records, spec), num_parallel_calls=2, deterministic=True)
    )
    return batches.cache() if keep else batches.prefetch(2)


def predictions(
    network: keras.Model, heads: Mapping[str, Head], batches: tf.data.Dataset
) -> Iterator[dict[str, Predictions]]:
    """Task → its labels and a network's predictions, batch by batch of those that `read_transformed` returns."""

    # The last batch has another number of rows.
    @tf.function(reduce_retracing=True, autograph=False)
    def outputs_of(features: dict[str, tf.Tensor]) -> dict[str, dict[str, tf.Tensor]]:
        raw = network(features, training=False)
        outputs = {name: head.outputs(raw[name]) for name, head in heads.items()}
        return {
            name: {output: values for output, values in of_task.items() if output != f"{name}/classes"}
            for name, of_task in outputs.items()
        }

    for batch in batches:
        outputs = outputs_of({name: batch[name] for name in network.input})
        yield {
            name: Predictions(
                labels=heads[name].with_offset(batch[label_name(name)]).numpy(),
                weights=batch[weight_name(name)].numpy(),
                outputs={output: values.numpy() for output, values in outputs[name].items()},
            )
            for name in heads
        }
