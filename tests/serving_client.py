"""Calls a pushed model as a server's client would: run in a process of its own, with nothing but TensorFlow.

Prints, as JSON, what the model says of the examples in a folder: its errors against their labels, the greatest
difference between the two signatures, and which modules were imported.
"""

import json
import sys
from pathlib import Path

import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
files = sorted(str(path) for path in Path(sys.argv[2]).iterdir())
records = list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())
by_examples = model.signatures["serving_default"](examples=tf.constant(records))

columns = model.signatures["serving_columns"]
inputs = {}
for name, spec in columns.structured_input_signature[1].items():
    stored = [tf.train.Example.FromString(record).features.feature[name] for record in records]
    values = [feature.bytes_list.value or feature.float_list.value or feature.int64_list.value for feature in stored]
    missing = b"" if spec.dtype == tf.string else float("nan")
    inputs[name] = tf.constant([value[0] if value else missing for value in values], spec.dtype)
by_columns = columns(**inputs)


def labels(name: str) -> list:
    """Each row's label, None where it is missing."""
    stored = [tf.train.Example.FromString(record).features.feature[name] for record in records]
    found = [feature.bytes_list.value or feature.float_list.value or feature.int64_list.value for feature in stored]
    return [value[0] if value else None for value in found]


predicted = by_examples["arr_delay"].numpy()[:, 0].tolist()
pairs = zip(labels("arr_delay"), predicted, strict=True)
errors = [abs(label - value) for label, value in pairs if label is not None]
classes = by_examples["status/classes"].numpy()
best = by_examples["status/probabilities"].numpy().argmax(axis=1)
hits = [classes[row][best[row]] == label for row, label in enumerate(labels("status")) if label is not None]
one_row = columns(**{name: values[:1] for name, values in inputs.items()})
unseen = columns(**{**inputs, "carrier": tf.fill([len(records)], "??")})
print(
    json.dumps(
        {
            "rows": len(records),
            "mae": sum(errors) / len(errors),
            "accuracy": sum(hits) / len(hits),
            "outputs": {name: list(value.shape) for name, value in by_examples.items()},
            "difference": max(
                float(tf.reduce_max(tf.abs(by_examples[name] - by_columns[name]))) for name in ("status", "arr_delay")
            ),
            "one_row": {name: list(value.shape) for name, value in one_row.items()},
            "finite": bool(tf.reduce_all(tf.math.is_finite(unseen["arr_delay"]))),
            "imported": sorted({name.partition(".")[0] for name in sys.modules}),
        }
    )
)
