"""Free text → ids of its n-grams, and their embeddings pooled."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from trainer.config.features.set import SetFeature
from trainer.config.features.text import TextFeature
from trainer.encoders.pooling import Pool
from trainer.encoders.text import ids_of, normalised


def feature(**keys: Any) -> TextFeature:
    return TextFeature.model_validate({"kind": "text", **keys})


def ids(texts: list[str | bytes], **keys: Any) -> np.ndarray:
    return ids_of(feature(**keys), tf.constant(texts)).numpy()


def test_normalised() -> None:
    texts = ["Don't STOP!!! naïve Ünï", "a,b;c", "今日は", b"ab\xffc\xc3", "", "  \t\n"]
    found = [text.decode() for text in normalised(tf.constant(texts)).numpy()]
    assert [text.split() for text in found] == [
        ["don't", "stop", "!!!", "naïve", "ünï"],
        ["a", ",", "b", ";", "c"],
        ["今", "日", "は"],
        ["abc"],
        [],
        [],
    ]


def test_ids_are_of_words_and_pairs() -> None:
    both, first, second = ids(["good bread", "good", "bread"], max_tokens=3, ngrams=2)
    assert both.shape == (6,)
    assert (both[:2] == [first[0], second[0]]).all()
    assert (both > 0).tolist() == [True] * 3 + [False] * 3
    assert (first > 0).tolist() == [True] + [False] * 5
    assert ids(["GOOD   bread"], max_tokens=3)[0].tolist() == both.tolist()


def test_runs_of_characters() -> None:
    (found,) = ids(["abcd"], max_tokens=1, ngrams=1, characters=3)
    assert (found > 0).tolist() == [True, True, True, False, False]
    (other,) = ids(["xbcd"], max_tokens=1, ngrams=1, characters=3)
    assert (found == other).tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("text", ["", " ", b"\xff\xfe\xfd", "!", "a" * 1_000_000, "wort " * 200_000, "\0", "é" * 5000])
def test_any_text_has_ids(text: str | bytes) -> None:
    found = ids([text], max_tokens=4, ngrams=3, characters=2, buckets=100)
    assert found.shape == (1, 4 * 3 + 16)
    assert found.min() >= 0
    assert found.max() <= 100


def test_long_texts_are_cut() -> None:
    long = ids(["one two three four " + "x" * 1_000_000], max_tokens=4)
    assert long.tolist() == ids(["one two three four"], max_tokens=4).tolist()


def test_pooled() -> None:
    vectors = keras.ops.convert_to_tensor([[[1.0, -2.0], [3.0, -4.0], [9.0, 9.0]]] * 2)
    pooled = Pool(("mean", "max"), "pool")(keras.ops.convert_to_tensor([[5, 7, 0], [0, 0, 0]]), vectors)
    np.testing.assert_allclose(pooled, [[2.0, -3.0, 3.0, -2.0], [0.0] * 4])


@pytest.mark.parametrize(
    ("kind", "keys", "words"),
    [
        (TextFeature, {"max_tokens": 0}, "greater than or equal to 1"),
        (TextFeature, {"max_tokens": 100_000}, "less than or equal to 4096"),
        (TextFeature, {"buckets": 1}, "greater than or equal to 2"),
        (TextFeature, {"buckets": 1 << 24}, "less than 16777216"),
        (TextFeature, {"ngrams": True}, "a number"),
        (SetFeature, {"separator": ""}, "at least 1 character"),
        (SetFeature, {"buckets": 64, "top_k": 5}, "`top_k` belongs to a vocabulary"),
    ],
)
def test_refused(kind: type, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        kind.model_validate({"kind": "text" if kind is TextFeature else "set", **keys})
