"""The prepared tables of images and of sentences are what their configurations say."""

import digits
import numpy as np
import tagging

from components.example_gen.images import check_image


def test_each_digit_is_on_its_canvas_within_its_box() -> None:
    table = digits.prepare(60)
    assert len(table) == 60
    assert list(table.columns) == digits.SCHEMA.names
    for png, box in zip(table["image"], table["box"], strict=True):
        check_image(png, digits.CANVAS**2)
        assert 0 <= box[0] < box[2] <= 1
        assert 0 <= box[1] < box[3] <= 1


def test_the_same_digit_is_placed_several_times() -> None:
    table = digits.prepare(None)
    counts = table.groupby("sample")["digit"].agg(["size", "nunique"])
    assert set(counts["size"]) == {digits.COPIES}
    assert set(counts["nunique"]) == {1}
    assert len(counts) == 1797


def test_sentences_have_a_tag_of_each_kind_per_token_and_words_of_several_readings() -> None:
    table = tagging.prepare(300)
    readings: dict[str, set[str]] = {}
    for tokens, pos, entities in table.itertuples(index=False):
        assert len(tokens) == len(pos) == len(entities)
        for token, tag, entity in zip(tokens, pos, entities, strict=True):
            readings.setdefault(token, set()).add(f"{tag} {entity}")
    assert np.mean([len(found) > 1 for found in readings.values()]) > 0.1
    assert {"NOUN O", "VERB O"} <= readings["plan"]
    assert table.equals(tagging.prepare(300))
