"""The release of TensorFlow Serving for models of a release of TensorFlow."""

import re

RELEASES = ("2.16.1", "2.17.0", "2.17.1", "2.18.0", "2.18.1", "2.19.0", "2.19.1", "2.20.0", "2.21.0")
"""TensorFlow Serving's releases, oldest first: those of tensorflow-serving-api on PyPI, which are the image's tags."""


def serving_release(tensorflow: str) -> str:
    """The release of TensorFlow Serving, and so the image's tag, for a version of TensorFlow.

    The minor releases of both have the same numbers, but not their patches. Therefore it is the last patch of the same
    minor release, or else of the next one. Beyond the table it is the newest release, and `release_warning` warns.

    Raises:
        ValueError: it is no version.
    """
    wanted = _minor(tensorflow)
    if wanted is None:
        raise ValueError(f"'{tensorflow}' is no version of TensorFlow")
    minors = {minor: release for release in RELEASES if (minor := _minor(release))}
    return next((release for minor, release in minors.items() if minor >= wanted), RELEASES[-1])


def release_warning(tag: str, tensorflow: str | None) -> str | None:
    """A warning about an image's tag, if there is reason for one; tags that are no release number are not checked.

    Args:
        tag: of the image.
        tensorflow: the version that trained the model, if it is known.
    """
    release, trained = re.match(r"\d+\.\d+\.\d+", tag), _minor(tensorflow or "")
    if release is None:
        return None
    if trained and (_minor(tag) or trained) < trained:
        return (
            f"TensorFlow Serving {release[0]} is older than TensorFlow {tensorflow}, which trained the model, and may "
            f"not know all its operations; the newest release known here is {RELEASES[-1]}, serving.deployment.tag "
            "selects another"
        )
    if release[0] not in RELEASES:
        return f"no release {release[0]} of TensorFlow Serving is known here; known are {', '.join(RELEASES)}"
    return None


def image_reference(image: str, tag: str) -> str:
    """An image with its tag or digest."""
    return f"{image}{'@' if tag.startswith('sha256:') else ':'}{tag}"


def _minor(version: str) -> tuple[int, int] | None:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else None
