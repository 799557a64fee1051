"""Encoders of sequences: shapes, and that padding changes nothing."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import SequenceFeature
from trainer.encoders.sequence import encode, states_name


class Vocabulary:
    """What is used of Transform's output."""

    def vocabulary_size_by_name(self, name: str) -> int:
        assert name == "words_vocabulary"
        return 8


def model_of(encoder: str, length: int) -> keras.Model:
    keras.utils.set_random_seed(1)
    feature = SequenceFeature(kind="sequence", max_length=length, encoder=encoder, embed=6, units=8)
    ids = keras.Input((length,), dtype="int64")
    pooled = encode("words", feature, Vocabulary(), {"words": ids}, "a_")
    states = keras.Model(ids, pooled).get_layer(states_name("a_words")).output
    return keras.Model(ids, {"pooled": pooled, "states": states})


@pytest.mark.parametrize("encoder", ["gru", "conv", "transformer"])
def test_padding_changes_neither_states_nor_what_is_pooled(encoder: str) -> None:
    long = model_of(encoder, 7)
    found = long(tf.constant([[3, 1, 4, 0, 0, 0, 0], [2, 7, 1, 8, 2, 8, 1], [0] * 7]))
    assert found["pooled"].shape == (3, 16)
    assert found["states"].shape == (3, 7, 8)
    assert not found["states"][0, 3:].numpy().any()
    assert not found["pooled"][2].numpy().any()
    short = model_of(encoder, 3)
    weights: Any = long.get_weights()
    if encoder == "transformer":
        weights = [value[:3] if value.shape == (7, 8) else value for value in weights]
    short.set_weights(weights)
    cut = short(tf.constant([[3, 1, 4]]))
    np.testing.assert_allclose(cut["states"][0], found["states"][0, :3], atol=1e-5)
    np.testing.assert_allclose(cut["pooled"][0], found["pooled"][0], atol=1e-5)


@pytest.mark.parametrize("encoder", ["gru", "conv", "transformer"])
def test_a_token_sees_its_neighbours_on_both_sides(encoder: str) -> None:
    model = model_of(encoder, 5)
    states = model(tf.constant([[1, 2, 3, 4, 5], [6, 2, 3, 4, 5], [1, 2, 3, 4, 6]]))["states"].numpy()
    assert np.abs(states[1, 2] - states[0, 2]).max() > 1e-4
    assert np.abs(states[2, 2] - states[0, 2]).max() > 1e-4
