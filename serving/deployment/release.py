"""Which release of TensorFlow Serving serves models of which release of TensorFlow."""

import re

_PATCHES = {"2.16": "2.16.1", "2.17": "2.17.1", "2.18": "2.18.1", "2.19": "2.19.1"}
"""The last releases of TF Serving, where that is not .0; both number their minor releases alike, not their patches."""


def serving_release(tensorflow: str) -> str:
    """The version of TF Serving, and so the image's tag, that belongs to a version of TensorFlow.

    Raises:
        ValueError: it is no version.
    """
    minor = re.match(r"\d+\.\d+", tensorflow)
    if minor is None:
        raise ValueError(f"'{tensorflow}' is no version of TensorFlow")
    return _PATCHES.get(minor[0], f"{minor[0]}.0")
