"""The numbered versions in a folder that TensorFlow Serving watches; it serves the highest number."""

import time
from collections.abc import Callable

from components.pusher.layout import GREATEST_VERSION, Location, join
from components.pusher.storage import content_digest, source_of, storage_of
from janus_core.errors import ConfigError, JanusError
from janus_core.manifest import Manifest
from serving.signatures import SAVED_MODEL


def versions(base: Location) -> list[int]:
    """The complete versions in a folder, oldest first."""
    return storage_of(base).complete(base)


def digest_of(base: Location, version: int) -> str:
    """The content digest of a version."""
    return storage_of(base).stored_digest(base, version) or content_digest(join(base, version))


def version_for(model: Location, base: Location, after: int = 0) -> int:
    """The newest version, if it holds this very model; else a new version, later than all others and than `after`."""
    present = versions(base)
    if present and digest_of(base, present[-1]) == content_digest(model):
        return present[-1]
    return new_version(base, after)


def new_version(base: Location, after: int = 0) -> int:
    """The time in seconds since 1970, or a higher number: above all in the folder, complete or not, and `after`.

    Raises:
        ConfigError: there is no higher number.
    """
    number = max(int(time.time()), _highest(base) + 1, after + 1)
    if number > GREATEST_VERSION:
        raise ConfigError(
            f"{join(base, GREATEST_VERSION)} has the greatest number that a version can have, so none can be pushed: "
            "move it away"
        )
    return number


def publish(
    model: Location,
    base: Location,
    version: int,
    before_visible: Callable[[], None] = lambda: None,
    expected: Manifest | None = None,
) -> str:
    """Copies a model to `base/version`, which appears whole or not at all, and returns that folder.

    A server that watches the folder, or is started after a power cut, never serves a part of a version.

    Args:
        model: a SavedModel's folder.
        base: the folder of versions.
        version: its number; a complete version of this number stays as it is.
        before_visible: is called just before the step that makes the version appear.
        expected: what the model's files must be.

    Raises:
        JanusError: the model is no SavedModel.
        ServingError: a file is not as expected.
        OSError: the folder cannot be written; nothing is left behind.
    """
    target = join(base, version)
    if version in versions(base):
        return target
    source = source_of(model, expected)
    if SAVED_MODEL not in source.sizes:
        raise JanusError(f"{model} is no SavedModel, it has no {SAVED_MODEL}: nothing was pushed")
    storage_of(base).publish(source, base, version, before_visible)
    return target


def remove_leftovers(base: Location) -> int:
    """Removes what interrupted pushes left behind; no other push into this folder may be under way.

    Returns:
        The highest number that was there, complete or not; 0 for none. A new version needs a higher one, since
        TensorFlow Serving does not try a number again once it has given up on it.
    """
    highest = _highest(base)
    storage_of(base).remove_leftovers(base)
    return highest


def _highest(base: Location) -> int:
    return max(storage_of(base).numbers(base), default=0)
