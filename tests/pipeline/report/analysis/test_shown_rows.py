"""The rows that the report shows, with their labels and predictions."""

from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2

from pipeline.config import JanusConfig
from pipeline.config.file import parse_config
from pipeline.report.analysis.sample import Predicted
from pipeline.report.analysis.shown_rows import ROWS, shown_rows

TAGS = ["D", "N", "V"]


def config(**features: dict[str, Any]) -> JanusConfig:
    return parse_config(
        {
            "name": "shown",
            "data": {"path": "data", "format": "parquet"},
            "features": {"words": {"kind": "sequence"}, "others": {"kind": "sequence"}, **features},
            "tasks": {
                "pos": {"kind": "sequence_tags", "label": "pos", "sequence": "words", "classes": TAGS},
                "of_others": {"kind": "sequence_tags", "label": "of_others", "sequence": "others", "classes": TAGS},
                "liked": {"kind": "binary", "label": "liked", "classes": ["no", "yes"]},
            },
            "push": {"path": "models"},
        }
    )


def example(**values: list[str]) -> example_pb2.Example:
    made = example_pb2.Example()
    for name, texts in values.items():
        made.features.feature[name].bytes_list.value.extend(text.encode() for text in texts)
    return made


def predicted(rows: list[int], labels: list[list[int]], output: np.ndarray) -> Predicted:
    return Predicted(np.array(rows), np.array(labels, np.float32), np.ones(len(rows)), output)


def tags(rows: list[int], labels: list[list[int]], found: list[list[int]]) -> Predicted:
    return predicted(rows, labels, np.eye(len(TAGS))[np.array(found)].reshape(len(rows), -1))


def test_tokens_have_the_tags_of_tasks_over_them() -> None:
    rows = [example(words=["the", "plan"], others=["x"]), example(words=["go"])]
    answers = {
        "pos": tags([0, 1], [[0, 1, -1], [2, -1, -1]], [[0, 2, 0], [2, 0, 0]]),
        "of_others": tags([0], [[1]], [[1]]),
        "liked": predicted([1], [[1]], np.array([[0.75]])),
    }
    first, second = shown_rows(config(), rows, answers)
    assert first.tokens == ["the", "plan"]
    pos, of_others = first.answers
    assert pos.tags == [("D", "D"), ("N", "V")]
    assert (pos.label, pos.predicted) == ("D N", "D V")
    # Those of another sequence are not tags of these tokens.
    assert (of_others.tags, of_others.label) == ([], "N")
    assert [answer.task for answer in second.answers] == ["pos", "liked"]
    assert second.answers[1].predicted == "yes (75%)"


def test_rows_are_from_all_over_the_sample() -> None:
    rows = [example(note=[str(row)]) for row in range(10 * ROWS)]
    shown = shown_rows(config(note={"kind": "text"}), rows, {})
    assert [row.text for row in shown] == [str(10 * place) for place in range(ROWS)]


def test_a_text_is_shown_unless_it_is_sensitive() -> None:
    rows = [example(note=["Good bread"])] * (ROWS + 2)
    answers = {"liked": predicted([0], [[0]], np.array([[0.25]]))}
    shown = shown_rows(config(note={"kind": "text"}), rows, answers)
    assert len(shown) == ROWS
    assert (shown[0].text, shown[0].tokens) == ("Good bread", [])
    assert shown[0].answers[0].predicted == "no (75%)"
    assert shown_rows(config(note={"kind": "text", "sensitive": True}), rows, answers) == []
