"""Images: decoded and resized in Transform's graph; separable convolutions with group norm in the network."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from keras import ops

from trainer.config.features import column_of
from trainer.config.features.images import GRID, ImageFeature
from trainer.encoders.base import Inputs
from trainer.raw_values import Raw, strings

DEFAULT_SHIFT = 0.1
_HEADER = 32
"""Bytes of the beginning of an image that its format and, but for JPEG, its size are read from."""
_MOST_GROUPS = 8
_NO_IMAGE, _TOO_LARGE, _DAMAGED = -1.0, -2.0, -3.0
"""In place of pixels, where there are none."""


def preprocess(features: Mapping[str, ImageFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as float32 [batch, height · width · channels] in [0, 1]; a missing image is black.

    A value that is no image, too large or damaged, which only a request can have, is a number below 0, see `refusals`.
    """
    return {name: _pixels(feature, strings(raw[column_of(name, feature)])) for name, feature in features.items()}


def encode(name: str, feature: ImageFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """A vector of the image, float32 [batch, embed].

    A convolution, then separable ones (Chollet 2017), each with group normalisation (Wu and He 2018), which depends on
    no other row of the batch, and all but the first with a halved size.
    """
    name = f"{prefix}{name}"
    hidden = keras.layers.Reshape((*feature.size, feature.channels), name=f"{name}_pixels")(inputs[name[len(prefix) :]])
    shift = DEFAULT_SHIFT if feature.shift is None else feature.shift
    if shift or feature.brightness:
        hidden = Augmentation(shift, feature.brightness, name=f"{name}_augmentation")(hidden)
    for depth, filters in enumerate(feature.filters):
        layer = keras.layers.SeparableConv2D if depth else keras.layers.Conv2D
        hidden = layer(filters, 3, padding="same", use_bias=False, name=f"{name}_convolution_{depth}")(hidden)
        groups = math.gcd(_MOST_GROUPS, filters)
        hidden = keras.layers.GroupNormalization(groups, name=f"{name}_norm_{depth}")(hidden)
        hidden = keras.layers.Activation("relu", name=f"{name}_relu_{depth}")(hidden)
        if depth:
            hidden = keras.layers.MaxPooling2D(2, padding="same", name=f"{name}_pool_{depth}")(hidden)
    window = [-(-side // GRID) for side in hidden.shape[1:3]]
    grid = keras.layers.AveragePooling2D(window, padding="same", name=f"{name}_grid")(hidden)
    seen = [
        # Where in the image something is, as a box needs it; and what there is, wherever it is.
        keras.layers.Flatten(name=f"{name}_places")(grid),
        keras.layers.GlobalMaxPooling2D(name=f"{name}_greatest")(hidden),
        keras.layers.GlobalAveragePooling2D(name=f"{name}_mean")(hidden),
    ]
    joined = keras.layers.Concatenate(name=f"{name}_seen")(seen)
    return keras.layers.Dense(feature.embed, activation="relu", name=f"{name}_vector")(joined)


class Augmentation(keras.layers.Layer):
    """In training, shifts each image [height, width, channels] and changes its brightness by chance.

    What is shifted in is the image's edge, repeated.
    """

    def __init__(self, shift: float, brightness: float, name: str):
        super().__init__(name=name)
        self._shift, self._brightness = shift, brightness
        self._seeds = keras.random.SeedGenerator()

    def call(self, images: Any, training: bool = False) -> Any:
        """Images float32 [batch, height, width, channels] → the same shape."""
        if not training:
            return images
        rows = ops.shape(images)[0]
        if self._shift:
            for axis in (1, 2):
                size = images.shape[axis]
                most = int(self._shift * size)
                offset = keras.random.randint((rows, 1), -most, most + 1, seed=self._seeds)
                places = ops.clip(ops.arange(size)[None, :] + offset, 0, size - 1)
                shape = [-1, 1, 1, 1]
                shape[axis] = size
                images = ops.take_along_axis(images, ops.reshape(places, shape), axis=axis)
        if self._brightness:
            change = keras.random.uniform((rows, 1, 1, 1), -self._brightness, self._brightness, seed=self._seeds)
            images = images + ops.cast(change, images.dtype)
        return images

    def compute_output_shape(self, input_shape: Any) -> Any:
        """See Keras."""
        return input_shape


def refusals(name: str, feature: ImageFeature, pixels: tf.Tensor) -> tf.Tensor:
    """Why a row of `preprocess` has no image that the network can take, string [batch]; empty where it has, or none."""
    reasons = {
        _NO_IMAGE: "is not an image in JPEG, PNG or GIF",
        _TOO_LARGE: f"is an image of no pixels, or of more than {feature.max_pixels} (max_pixels)",
        _DAMAGED: "is a damaged image, which cannot be decoded",
    }
    found = tf.fill(tf.shape(pixels)[:1], "")
    for code, reason in reasons.items():
        found = tf.where(pixels[:, 0] == code, f"feature {name} {reason}", found)
    return found


def _pixels(feature: ImageFeature, encoded: tf.Tensor) -> tf.Tensor:
    """Encoded images, string [batch] → float32 [batch, height · width · channels]."""
    shape = [*feature.size, feature.channels]
    start = tf.strings.join([tf.strings.substr(encoded, 0, _HEADER), "\0" * _HEADER])
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(start, 0, _HEADER), tf.uint8), tf.int64)

    def one(row: tf.Tensor, data: tf.Tensor, head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.cond(data == "", lambda: tf.zeros(shape), lambda: _decoded(feature, data, head))
        return row, tf.ensure_shape(image, shape)

    rows = tf.shape(encoded)[0]
    images = tf.data.Dataset.from_tensor_slices((tf.range(rows), encoded, header)).map(one)
    # TensorFlow's decoder fails on a damaged image. Of its core operations, only those of a data set can go on without
    # the row: else, one client's image would fail all requests that a server answers together with its own.
    decoded = images.ignore_errors().concatenate(tf.data.Dataset.from_tensors((rows, tf.zeros(shape))))
    places, found = decoded.batch(tf.cast(rows, tf.int64) + 1).get_single_element()
    everywhere = tf.tensor_scatter_nd_update(tf.fill([rows + 1, *shape], _DAMAGED), places[:, None], found)
    return tf.reshape(everywhere[:-1], [-1, math.prod(shape)])


def _decoded(feature: ImageFeature, data: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """One image, float32 [height, width, channels], of its encoded bytes and the first of them, int64 [_HEADER].

    Fails where it is damaged.
    """

    def starts(magic: bytes) -> tf.Tensor:
        return tf.reduce_all(head[: len(magic)] == tf.constant(list(magic), tf.int64))

    def number_at(places: list[int]) -> tf.Tensor:
        total = tf.constant(0, tf.int64)
        for place in places:
            total = total * 256 + head[place]
        return total

    def resized() -> tf.Tensor:
        # In colour in any case: TensorFlow cannot decode CMYK to grey.
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        image = tf.ensure_shape(image, [None, None, 3])
        image = tf.image.resize(tf.cast(image, tf.float32) / 255.0, feature.size, antialias=True)
        image = tf.clip_by_value(image, 0.0, 1.0)
        return tf.image.rgb_to_grayscale(image) if feature.channels == 1 else image

    jpeg, png, gif = starts(b"\xff\xd8\xff"), starts(b"\x89PNG\r\n\x1a\n"), starts(b"GIF8")
    size = tf.cond(
        jpeg,
        lambda: tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64),
        lambda: tf.where(
            png,
            tf.stack([number_at([20, 21, 22, 23]), number_at([16, 17, 18, 19])]),
            tf.stack([number_at([9, 8]), number_at([7, 6])]),
        ),
    )
    small = (size[0] > 0) & (size[1] > 0) & (size[0] <= feature.max_pixels // tf.maximum(size[1], 1))
    refusal = tf.where(jpeg | png | gif, _TOO_LARGE, _NO_IMAGE)
    return tf.cond((jpeg | png | gif) & small, resized, lambda: tf.fill([*feature.size, feature.channels], refusal))
