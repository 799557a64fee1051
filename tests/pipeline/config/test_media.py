"""What the configuration says of images and boxes that do not go together."""

from typing import Any

import pytest
from pydantic import ValidationError

from janus_core.kinds import metrics_of
from pipeline.config import JanusConfig

IMAGE = {"kind": "image", "size": [8, 8]}


def config(features: dict[str, Any], tasks: dict[str, Any], format: str = "parquet") -> JanusConfig:
    return JanusConfig.model_validate(
        {
            "name": "t",
            "data": {"path": "data", "format": format},
            "features": features,
            "tasks": tasks,
            "push": {"path": "models"},
        }
    )


def problem(*arguments: Any) -> str:
    with pytest.raises(ValidationError) as error:
        config(*arguments)
    return str(error.value)


BOX = {"place": {"kind": "box", "label": "box"}}
DIGIT = {"digit": {"kind": "multiclass", "label": "digit", "classes": [0, 1]}}


def test_a_box_needs_an_image() -> None:
    assert "tasks.place.kind: a box is in an image, and no feature is of kind image" in problem(
        {"x": {"kind": "numeric"}}, BOX
    )


def test_csv_has_neither_bytes_nor_lists() -> None:
    found = problem({"photo": IMAGE}, BOX, "csv")
    assert "features.photo.source: CSV has no columns of bytes" in found
    assert "tasks.place.label: a box is a list of four numbers" in found
    config({"photo": {**IMAGE, "source": "path"}}, DIGIT, "csv")


def test_images_are_not_shifted_away_from_their_boxes() -> None:
    assert config({"photo": IMAGE}, BOX).features["photo"].shift == 0
    assert config({"photo": IMAGE}, DIGIT).features["photo"].shift is None
    assert "features.photo.shift: a shifted image no longer fits the boxes of task 'place'" in problem(
        {"photo": {**IMAGE, "shift": 0.2}}, BOX
    )


def test_a_column_holds_one_thing() -> None:
    two = {"photo": IMAGE, "small": {**IMAGE, "column": "photo", "source": "path"}}
    assert "features.small.source: column 'photo' is bytes in features.photo" in problem(two, DIGIT)


def test_a_huge_encoder_is_refused_before_it_is_built() -> None:
    assert "features.photo: the network would have at least" in problem(
        {"photo": {**IMAGE, "filters": [8, 100_000], "embed": 10_000}}, DIGIT
    )


def test_no_task_has_the_name_of_the_output_of_errors() -> None:
    error = {"error": {"kind": "regression", "label": "e"}}
    assert "tasks.error: with images, an output of the model has this name" in problem({"photo": IMAGE}, error)
    config({"x": {"kind": "numeric"}}, error)


TAGS = {"pos": {"kind": "sequence_tags", "label": "pos", "sequence": "words", "classes": ["D", "N"]}}


def test_tags_need_a_sequence() -> None:
    assert "tasks.pos.sequence: 'words' is no feature of kind sequence; there is none; add one" in problem(
        {"x": {"kind": "numeric"}}, TAGS
    )
    assert "'words' is no feature of kind sequence; features of that kind are tokens" in problem(
        {"tokens": {"kind": "sequence"}}, TAGS
    )


def test_in_csv_a_blank_separates_tokens_and_tags() -> None:
    words = {"words": {"kind": "sequence"}}
    found = config(words, TAGS, "csv")
    assert (found.features["words"].separator, found.tasks["pos"].separator) == (" ", " ")
    found = config(words, TAGS)
    assert (found.features["words"].separator, found.tasks["pos"].separator) == (None, None)
    found = config({"words": {"kind": "sequence", "separator": "|"}}, TAGS)
    assert found.tasks["pos"].separator == "|"


def test_only_tags_of_entities_have_the_metric_of_entities() -> None:
    words = {"words": {"kind": "sequence"}}
    assert list(metrics_of(config(words, TAGS).tasks["pos"])) == ["token_accuracy", "f1"]
    entities = {"ner": {**TAGS["pos"], "classes": ["O", "B-A", "I-A"]}}
    assert list(metrics_of(config(words, entities).tasks["ner"])) == ["token_accuracy", "f1", "entity_f1"]


def test_a_separator_of_white_space_is_a_blank() -> None:
    assert "only a single blank can separate them" in problem({"words": {"kind": "sequence", "separator": "\t"}}, TAGS)
