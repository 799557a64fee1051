"""A few rows of tables with images, texts or sequences, and what is predicted, which shows more than any number."""

import base64
from collections.abc import Mapping, Sequence

import numpy as np
from tensorflow.core.example import example_pb2

from janus_core.kinds import kind_of
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import ShownAnswer, ShownRow
from pipeline.report.analysis.sample import Predicted
from trainer.config import ImageFeature, SequenceFeature, SequenceTagsTask, Task, TextFeature, classes_of, column_of

ROWS = 8
LARGEST_IMAGE = 100_000
"""Bytes; larger ones would make the report large."""
LONGEST_TEXT = 500
MOST_TOKENS = 100
_TYPES = {b"\x89": "png", b"G": "gif"}


def shown_rows(
    config: JanusConfig, examples: Sequence[example_pb2.Example], predicted: Mapping[str, Predicted]
) -> list[ShownRow]:
    """Rows from all over the sample with an image, text or sequence that may be shown; none of a table without these.

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
    texts = {
        name: (column_of(name, feature), feature.separator if isinstance(feature, SequenceFeature) else None)
        for name, feature in config.features.items()
        if isinstance(feature, SequenceFeature | TextFeature) and column_of(name, feature) not in sensitive
    }
    shown = []
    # A table is often in the order of time: its first rows are like each other.
    step = max(1, len(examples) // ROWS)
    for row in sorted(range(len(examples)), key=lambda row: row % step):
        example = examples[row]
        image = next((url for column in images if (url := _image(example, column))), "")
        read, tokens = next(((name, found) for name in texts if (found := _tokens(example, *texts[name]))), ("", []))
        if image or tokens:
            answers = [
                _answer(name, config.tasks[name], labelled, place[0], read)
                for name, labelled in predicted.items()
                if len(place := np.flatnonzero(labelled.rows == row))
            ]
            tagged = any(answer.tags for answer in answers)
            text = " ".join(tokens)[:LONGEST_TEXT]
            shown.append(
                ShownRow(image=image, text=text, tokens=tokens[:MOST_TOKENS] if tagged else [], answers=answers)
            )
        if len(shown) == ROWS:
            break
    return shown


def _image(example: example_pb2.Example, column: str) -> str:
    """The image as a data URL; empty if it is missing or large."""
    values = example.features.feature[column].bytes_list.value if column in example.features.feature else []
    if not values or not values[0] or len(values[0]) > LARGEST_IMAGE:
        return ""
    return f"data:image/{_TYPES.get(values[0][:1], 'jpeg')};base64,{base64.b64encode(values[0]).decode()}"


def _tokens(example: example_pb2.Example, column: str, separator: str | None) -> list[str]:
    """A sequence's tokens, or a text as a single one."""
    values = example.features.feature[column].bytes_list.value if column in example.features.feature else []
    texts = [value.decode(errors="replace") for value in values]
    return [part for text in texts for part in text.split(separator) if part.strip()] if separator else texts


def _answer(name: str, task: Task, predicted: Predicted, place: int, read: str) -> ShownAnswer:
    """Args as of `shown_rows`; `read` is the feature whose tokens are shown."""
    label, output = predicted.labels[place], predicted.output[place]
    classes, kind = classes_of(task), kind_of(task)
    if isinstance(task, SequenceTagsTask):
        tagged = label >= 0
        decided = output.reshape(len(label), -1).argmax(axis=1)[tagged]
        tags = [[classes[int(tag)] for tag in of] for of in (label[tagged], decided)]
        texts = [" ".join(of)[:LONGEST_TEXT] for of in tags]
        pairs = list(zip(*tags, strict=True))[:MOST_TOKENS] if task.sequence == read else []
        return ShownAnswer(task=name, label=texts[0], predicted=texts[1], tags=pairs)
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
