"""Versions behind a URL, where folders cannot be renamed in one step.

TensorFlow Serving takes up the highest number among the folders as soon as it is there, whole or not. It tries to load
it six times, by default a minute apart, and then never again while the folder stays. (See
sources/storage_path/file_system_storage_path_source.cc, util/retrier.cc and core/aspired_versions_manager.cc.)

So a model is uploaded under a name that is no number, however long that takes, and then moved within the store, file by
file, which takes a moment each: on gs:// by a copy on the server's side (`RenameObject` of TensorFlow's
gcs_file_system.cc). `saved_model.pb` comes last. Without it no load succeeds, so that a server that looks in between
tries again later; with it everything is there, and the version counts for Janus too. A push that is killed among the
moves leaves a folder that no server can load until the next push or rollback removes it: running servers keep the
version before, one that is started meanwhile has none.

Whatever TensorFlow's file interface knows may be used: gs:// and hdfs://, s3:// with tensorflow-io.
"""

import contextlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from components.pusher.local import SAVED_MODEL
from components.pusher.storage import content_digest, join, storage_of

PUSH_COMPLETE = "PUSH_COMPLETE"
"""The marker: JSON with the time, the content digest, and each file's size."""

_STAGING = ".staging-"

_gfile = tf.io.gfile


def exists(base: str) -> bool:
    """Whether the folder is there."""
    return bool(_gfile.exists(base))


def numbers(base: str) -> list[int]:
    """The numbered folders, oldest first, complete or not."""
    try:
        names = [name.rstrip("/") for name in _gfile.listdir(base)]
    except tf.errors.NotFoundError:
        return []
    return sorted(int(name) for name in names if name.isascii() and name.isdigit() and str(int(name)) == name)


def complete(base: str) -> list[int]:
    """The versions that carry the marker and can be loaded, oldest first."""
    needed = (PUSH_COMPLETE, SAVED_MODEL)
    return [number for number in numbers(base) if all(_gfile.exists(join(base, number, name)) for name in needed)]


def files(folder: str) -> dict[str, int]:
    """All files below a folder but the marker: relative name → bytes."""
    found = {}
    for parent, _, names in _gfile.walk(folder):
        for name in names:
            path = join(parent, name)
            found[path.removeprefix(join(folder)).lstrip("/")] = int(_gfile.stat(path).length)
    return {name: size for name, size in found.items() if name != PUSH_COMPLETE}


def open_file(path: str) -> Any:
    """Opens a file to read bytes."""
    return _gfile.GFile(path, "rb")


def stored_digest(base: str, version: int) -> str | None:
    """The marker's digest, if the files' names and sizes are still those that it lists."""
    marker = _marker(base, version)
    return marker["digest"] if marker and marker["files"] == files(join(base, version)) else None


def published_at(base: str, version: int) -> float:
    """When the marker was written, in seconds since 1970."""
    marker = _marker(base, version)
    return float(marker["time"]) if marker else 0.0


def publish(source: str, base: str, version: int, before_visible: Callable[[], None]) -> None:
    """Uploads all files and the marker aside, then moves them to the version's folder, `saved_model.pb` last.

    Raises:
        OSError: not all bytes have arrived.
        tensorflow.errors.OpError: the store refuses; what was written is removed, by the next push at the latest.
    """
    staging, target = join(base, f"{_STAGING}{version}-{uuid.uuid4().hex}"), join(base, version)
    if _gfile.exists(target):
        _gfile.rmtree(target)
    sizes = storage_of(source).files(source)
    digest = content_digest(source)
    try:
        for name in sorted(sizes):
            _copy(join(source, name), join(staging, name))
        arrived = files(staging)
        if arrived != sizes:
            raise OSError(f"{target}: {sum(arrived.values())} of {sum(sizes.values())} bytes have arrived")
        marker = {"time": time.time(), "digest": digest, "files": sizes}
        _write(join(staging, PUSH_COMPLETE), json.dumps(marker, indent=2) + "\n")
        before_visible()
        for name in [*sorted(set(sizes) - {SAVED_MODEL}), PUSH_COMPLETE, SAVED_MODEL]:
            _move(join(staging, name), join(target, name))
    except BaseException:
        # Another machine that took this push for dead may have published this number meanwhile.
        _try_to_remove(target, unless=lambda: version in complete(base))
        raise
    finally:
        _try_to_remove(staging)


def remove(base: str, version: int) -> None:
    """Removes a version, its marker first."""
    _gfile.remove(join(base, version, PUSH_COMPLETE))
    _gfile.rmtree(join(base, version))


def remove_leftovers(base: str) -> None:
    """Removes unfinished uploads, and the versions that are not complete."""
    for name in text_names(base, _STAGING):
        _gfile.rmtree(join(base, name))
    for number in sorted(set(numbers(base)) - set(complete(base))):
        _gfile.rmtree(join(base, number))


def read_text(base: str, name: str) -> str | None:
    """A small file's content; None if it is not there."""
    try:
        with _gfile.GFile(join(base, name)) as file:
            return str(file.read())
    except tf.errors.NotFoundError:
        return None


def write_text(base: str, name: str, text: str) -> None:
    """Replaces a small file, by a whole object in place of another."""
    staging = join(base, f"{name}.{os.getpid()}")
    _write(staging, text)
    _gfile.rename(staging, join(base, name), overwrite=True)


def remove_text(base: str, name: str) -> None:
    """Removes a small file, if it is there."""
    with contextlib.suppress(tf.errors.NotFoundError):
        _gfile.remove(join(base, name))


def text_names(base: str, prefix: str) -> list[str]:
    """The names of the small files that begin so."""
    return sorted(name.rstrip("/") for name in _gfile.listdir(base) if name.startswith(prefix))


def require_writable(base: str) -> None:
    """Tries to write.

    Raises:
        OSError: the store is unknown to TensorFlow, or refuses.
    """
    probe = join(base, f".probe-{os.getpid()}")
    try:
        _write(probe, "")
        _gfile.remove(probe)
    except tf.errors.OpError as error:
        raise OSError(0, error.message) from error


def _marker(base: str, version: int) -> dict[str, Any] | None:
    text = read_text(base, f"{version}/{PUSH_COMPLETE}")
    return json.loads(text) if text else None


def _copy(source: str, target: str) -> None:
    # Object stores have no folders; the others want them made.
    _gfile.makedirs(target.rpartition("/")[0])
    with storage_of(source).open_file(source) as read, _gfile.GFile(target, "wb") as written:
        shutil.copyfileobj(read, written, 1 << 20)


def _move(source: str, target: str) -> None:
    _gfile.makedirs(target.rpartition("/")[0])
    _gfile.rename(source, target, overwrite=True)


def _write(path: str, text: str) -> None:
    _gfile.makedirs(path.rpartition("/")[0])
    with _gfile.GFile(path, "w") as file:
        file.write(text)


def _try_to_remove(target: str, unless: Callable[[], bool] = lambda: False) -> None:
    try:
        if _gfile.exists(target) and not unless():
            _gfile.rmtree(target)
    except tf.errors.OpError:
        logging.getLogger(__name__).exception("%s cannot be removed now: the next push does", target)
