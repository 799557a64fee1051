"""Free text: normalised, split, and its n-grams hashed; id 0 is none, then the buckets."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.features import column_of
from trainer.config.features.text import TextFeature
from trainer.encoders.base import Inputs
from trainer.encoders.pooling import embed_bag
from trainer.raw_values import Raw, strings

_BYTES_PER_TOKEN = 64
"""A text is cut after so many bytes per token that is read, so that one of a megabyte costs no more than others."""


def preprocess(features: Mapping[str, TextFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as int64 ids of its n-grams, [batch, width], from the left."""
    return {name: ids_of(feature, strings(raw[column_of(name, feature)])) for name, feature in features.items()}


def encode(name: str, feature: TextFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """The mean and the maximum of the trained embeddings of the buckets."""
    pooled = embed_bag(f"{prefix}{name}", inputs[name], 1 + feature.buckets, feature.embed, ("mean", "max"))
    return keras.layers.Dropout(feature.dropout, name=f"{prefix}{name}_dropout")(pooled) if feature.dropout else pooled


def ids_of(feature: TextFeature, texts: tf.Tensor) -> tf.Tensor:
    """string [batch] → int64 [batch, width]. Bytes that are not UTF-8 are left out."""
    texts = normalised(tf.strings.substr(texts, 0, _BYTES_PER_TOKEN * feature.max_tokens))
    words = tf.strings.split(texts)[:, : feature.max_tokens]
    grams = tf.strings.ngrams(words, tuple(range(1, feature.ngrams + 1)), separator=" ")
    ids = _hashed(grams, feature.buckets, feature.max_tokens * feature.ngrams)
    if feature.characters:
        letters = tf.strings.unicode_split(texts, "UTF-8")[:, : feature.most_characters + feature.characters - 1]
        # Apart from the words, which may be the same.
        runs = tf.strings.ngrams(letters, feature.characters, separator="")
        runs = runs.with_flat_values(tf.strings.join(["#", runs.flat_values]))
        ids = tf.concat([ids, _hashed(runs, feature.buckets, feature.most_characters)], axis=1)
    return tf.ensure_shape(ids, [None, feature.width])


def normalised(texts: tf.Tensor) -> tf.Tensor:
    """Small letters, and a blank around each run of punctuation and each letter of a script without blanks."""
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}])", r" \1 ")
    texts = tf.strings.regex_replace(texts, r"([^\p{L}\p{M}\p{N}\s']+)", r" \1 ")
    return tf.strings.strip(tf.strings.regex_replace(texts, r"\s+", " "))


def _hashed(grams: tf.RaggedTensor, buckets: int, width: int) -> tf.Tensor:
    hashed = tf.strings.to_hash_bucket_fast(grams.flat_values, buckets) + 1
    return grams.with_flat_values(hashed).to_tensor(shape=[None, width])
