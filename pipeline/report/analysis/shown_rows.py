"""A few rows of tables with images or sequences, with what is predicted: a reader sees more than by any number."""

import base64
from collections.abc import Mapping, Sequence

import numpy as np
from tensorflow.core.example import example_pb2

from janus_core.kinds import kind_of
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import ShownAnswer, ShownRow
from pipeline.report.analysis.sample import Predicted
from trainer.config import ImageFeature, SequenceFeature, Task, classes_of, column_of

ROWS = 8
LARGEST_IMAGE = 100_000
"""Bytes; larger ones would make the report large."""
LONGEST_TEXT = 500
_TYPES = {b"\x89": "png", b"G": "gif"}


def shown_rows(
    config: JanusConfig, examples: Sequence[example_pb2.Example], predicted: Mapping[str, Predicted]
) -> list[ShownRow]:
    """The first rows of the sample with an image or a sequence that may be shown; none of a table without these.

    Args:
        config: by which sensitive columns are left out.
        examples: the sample.
        predicted: the tasks' labelled rows among them.
    """
    sensitive = config.sensitive_columns()
    images = [
        column_of(name, feature) for name, feature in config.features.items() if isinstance(feature, ImageFeature)
    ]
    images = [column for column in images if column not in sensitive]
    sequences = [
        (column_of(*item), item[1].separator)
        for item in config.features.items()
        if isinstance(item[1], SequenceFeature) and column_of(*item) not in sensitive
    ]
    shown = []
    for row, example in enumerate(examples):
        image = next((found for column in images if (found := _image(example, column))), "")
        text = next((found for one in sequences if (found := _text(example, *one))), "")
        if image or text:
            answers = [
                _answer(name, config.tasks[name], labelled, place[0])
                for name, labelled in predicted.items()
                if len(place := np.flatnonzero(labelled.rows == row))
            ]
            shown.append(ShownRow(image=image, text=text, answers=answers))
        if len(shown) == ROWS:
            break
    return shown


def _image(example: example_pb2.Example, column: str) -> str:
    """The image as a data URL; empty if it is missing or large."""
    values = example.features.feature[column].bytes_list.value if column in example.features.feature else []
    if not values or not values[0] or len(values[0]) > LARGEST_IMAGE:
        return ""
    return f"data:image/{_TYPES.get(values[0][:1], 'jpeg')};base64,{base64.b64encode(values[0]).decode()}"


def _text(example: example_pb2.Example, column: str, separator: str | None) -> str:
    """The tokens, with blanks between them; cut where there are many."""
    values = example.features.feature[column].bytes_list.value if column in example.features.feature else []
    texts = [value.decode(errors="replace") for value in values]
    tokens = [part for text in texts for part in text.split(separator) if part.strip()] if separator else texts
    return " ".join(tokens)[:LONGEST_TEXT]


def _answer(name: str, task: Task, predicted: Predicted, place: int) -> ShownAnswer:
    label, output = predicted.labels[place], predicted.output[place]
    classes, kind = classes_of(task), kind_of(task)
    if kind.decides == "tokens":
        tagged = label >= 0
        decided = output.reshape(len(label), -1).argmax(axis=1)[tagged]
        texts = [" ".join(np.array(classes)[of.astype(np.int64)])[:LONGEST_TEXT] for of in (label[tagged], decided)]
        return ShownAnswer(task=name, label=texts[0], predicted=texts[1])
    if kind.label_form == "box":
        boxes = [[round(float(edge), 4) for edge in box] for box in (label, output)]
        return ShownAnswer(task=name, label=_listed(boxes[0]), predicted=_listed(boxes[1]), boxes=boxes)
    if kind.decides == "each":
        texts = [", ".join(np.array(classes)[flags > 0.5]) or "none" for flags in (label, output)]
        return ShownAnswer(task=name, label=texts[0], predicted=texts[1])
    if not classes:
        return ShownAnswer(task=name, label=f"{label[0]:.4g}", predicted=f"{output[0]:.4g}")
    probabilities = output if len(output) > 1 else np.array([1 - output[0], output[0]])
    decided = classes[int(probabilities.argmax())]
    if predicted.decision is not None:
        decided = predicted.decision[place, 0].decode(errors="replace")
    share = probabilities[classes.index(decided)]
    return ShownAnswer(task=name, label=classes[int(label[0])], predicted=f"{decided} ({share:.0%})")


def _listed(box: Sequence[float]) -> str:
    return ", ".join(f"{edge:.2f}" for edge in box)
