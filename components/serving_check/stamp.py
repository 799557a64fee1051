"""The model as it is pushed, with warm-up requests."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from janus_core.files import replacing
from serving.warmup import write_warmup


def stamp(model: Path, target: Path, warmup: Sequence[bytes]) -> None:
    """Copies a model and adds warm-up requests; the copy appears whole or not at all.

    Args:
        model: the exported SavedModel.
        target: the copy, which must not exist.
        warmup: serialized tf.Examples; none: no file of requests.
    """
    with replacing(target) as staging:
        shutil.copytree(model, staging)
        if warmup:
            write_warmup(staging, list(warmup))
