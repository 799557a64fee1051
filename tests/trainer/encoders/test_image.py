"""Images in the graph: what is decoded, what is refused and how it is said; and the encoder's layers."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.images import animated_gif, cmyk_jpeg, huge_png, png
from trainer.config import ImageFeature
from trainer.encoders.image import Augmentation, encode, preprocess, refusals

GREY = np.arange(64).reshape(8, 8) * 4


def pixels(images: list[bytes], **settings: Any) -> np.ndarray:
    feature = ImageFeature.model_validate({"kind": "image", "size": [8, 8], "channels": 1, **settings})

    @tf.function
    def graph(raw: tf.Tensor) -> tf.Tensor:
        return preprocess({"photo": feature}, {"photo": raw})["photo"]

    return graph(tf.constant(images)).numpy().reshape(-1, *feature.size, feature.channels)


def test_an_image_of_the_size_is_what_it_was_and_a_missing_one_is_black() -> None:
    found = pixels([png(GREY), b""])
    np.testing.assert_allclose(found[0, :, :, 0], GREY / 255, atol=1e-3)
    assert not found[1].any()


def test_an_image_is_resized_by_the_mean_of_what_falls_together() -> None:
    checks = np.kron(np.array([[0, 200], [200, 0]]), np.ones((8, 8)))
    found = pixels([png(checks)], size=[2, 2])[0, :, :, 0] * 255
    assert found[0, 1] == pytest.approx(found[1, 0], abs=1)
    assert found[0, 1] > found[0, 0] + 50


def test_colours_stay_apart() -> None:
    red = np.zeros((8, 8, 3)) + [255, 0, 0]
    np.testing.assert_allclose(pixels([png(red)], channels=3)[0, 4, 4], [1, 0, 0])
    assert pixels([png(red)])[0, 4, 4, 0] == pytest.approx(0.2989, abs=1e-3)


def test_four_inks_are_decoded_as_colours_and_of_an_animation_the_first_frame_counts() -> None:
    red = np.zeros((8, 8, 3)) + [255, 0, 0]
    found = pixels([cmyk_jpeg(red)], channels=3)[0, 4, 4]
    assert found[0] > 0.9
    assert found[1:].max() < 0.1
    dark, light = np.full((8, 8), 0), np.full((8, 8), 255)
    assert pixels([animated_gif(light, dark)]).min() > 0.9


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"hello", "is not an image in JPEG, PNG or GIF"),
        (huge_png(), "is an image of no pixels, or of more than 50000000 (max_pixels)"),
        (huge_png(0, 3), "is an image of no pixels, or of more than 50000000 (max_pixels)"),
        (b"GIF89a", "is an image of no pixels, or of more than 50000000 (max_pixels)"),
        (png(GREY)[:-30], "is a damaged image, which cannot be decoded"),
        (cmyk_jpeg(np.zeros((8, 8, 3)))[:12], "is a damaged image, which cannot be decoded"),
    ],
)
def test_what_is_no_image_is_an_error_of_its_row_alone(image: bytes, reason: str) -> None:
    found = pixels([png(GREY), image, b"", png(GREY)])
    np.testing.assert_array_equal(found[[0, 3]], pixels([png(GREY)] * 2))
    feature = ImageFeature(kind="image", size=[8, 8])
    reasons = refusals("photo", feature, tf.constant(found.reshape(4, -1))).numpy().tolist()
    assert reasons == [b"", f"feature photo {reason}".encode(), b"", b""]


def test_no_rows_are_no_images() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def graph(raw: tf.Tensor) -> tf.Tensor:
        return preprocess({"photo": ImageFeature(kind="image", size=[8, 8])}, {"photo": raw})["photo"]

    assert graph(tf.zeros([0], tf.string)).shape == (0, 192)


@pytest.mark.parametrize(("size", "filters"), [([8, 8], [4]), ([33, 20], [4, 6, 8])])
def test_an_image_becomes_a_vector(size: list[int], filters: list[int]) -> None:
    feature = ImageFeature(kind="image", size=size, channels=3, filters=filters, embed=5)
    given = keras.Input((size[0] * size[1] * 3,))
    model = keras.Model(given, encode("photo", feature, None, {"photo": given}, "a_"))
    assert model(tf.zeros([2, size[0] * size[1] * 3])).shape == (2, 5)
    assert feature.network_size().parameters <= model.count_params() + feature.embed * 18 * filters[-1]


def test_only_training_shifts_and_brightens() -> None:
    layer = Augmentation(0.25, 0.1, name="augmentation")
    image = tf.constant(np.arange(64.0, dtype=np.float32).reshape(1, 8, 8, 1))
    np.testing.assert_array_equal(layer(image), image)
    changed = np.concatenate([layer(image, training=True) for _ in range(20)])
    differences = np.diff(changed[:, :, :, 0], axis=2).round(3)
    # A row of the image counts up by 1; where it was shifted, its edge is repeated.
    assert set(np.unique(differences)) <= {0.0, 1.0}
    assert len({image.tobytes() for image in changed}) > 10


def test_the_brightness_alone_moves_nothing() -> None:
    image = tf.constant(np.arange(64.0, dtype=np.float32).reshape(1, 8, 8, 1))
    changed = Augmentation(0.0, 0.1, name="augmentation")(image, training=True) - image
    assert np.ptp(changed) < 1e-5
    assert abs(float(changed[0, 0, 0, 0])) <= 0.1
