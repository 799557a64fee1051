"""Versions behind a URL, where folders cannot be renamed in one step.

TensorFlow Serving loads the folder with the highest number as soon as it appears, complete or not. It tries six times,
by default a minute apart, and then never again while the folder stays. (See
sources/storage_path/file_system_storage_path_source.cc, util/retrier.cc and core/aspired_versions_manager.cc.)

Therefore a model is first uploaded to a folder whose name is no number, and then moved within the store, file by file,
which is quick: on gs:// the server copies (`RenameObject` in TensorFlow's gcs_file_system.cc). `saved_model.pb` is
moved last. Without it no load succeeds, so that a server that looks in between tries again later; once it is there,
everything else is, and Janus too counts the version as complete. A push that is killed between the moves leaves a
folder that no server can load until the next push or rollback removes it: running servers keep the previous version,
and a server that is started meanwhile serves none.

Every filesystem that TensorFlow's file interface supports can be used: gs:// and hdfs://, and s3:// with tensorflow-io.

The functions are those of `components.pusher.storage.Storage`, which describes them.
"""

import contextlib
import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from components.pusher.layout import Location, Source, is_version, join, require_expected
from janus_core.files import STAGING, as_text
from serving.signatures import SAVED_MODEL

PUSH_COMPLETE = "PUSH_COMPLETE"
"""The marker: JSON with the time, the content digest, and each file's size."""

_gfile = tf.io.gfile


def exists(base: Location) -> bool:
    return bool(_gfile.exists(base))


def numbers(base: Location) -> list[int]:
    try:
        names = [name.rstrip("/") for name in _gfile.listdir(base)]
    except tf.errors.NotFoundError:
        return []
    return sorted(int(name) for name in names if is_version(name))


def complete(base: Location) -> list[int]:
    """The versions that carry the marker and can be loaded, oldest first."""
    needed = (PUSH_COMPLETE, SAVED_MODEL)
    return [number for number in numbers(base) if all(_gfile.exists(join(base, number, name)) for name in needed)]


def files(folder: Location) -> dict[str, int]:
    """All files below a folder but the marker: relative name → bytes."""
    paths = [join(parent, name) for parent, _, names in _gfile.walk(folder) for name in names]
    sizes = {path.removeprefix(join(folder)).lstrip("/"): int(_gfile.stat(path).length) for path in paths}
    return {name: size for name, size in sizes.items() if name != PUSH_COMPLETE}


def open_file(path: Location) -> Any:
    return _gfile.GFile(path, "rb")


def stored_digest(base: Location, version: int) -> str | None:
    """The marker's digest, if the files' names and sizes are still those that it lists."""
    marker = _marker(base, version)
    return marker["digest"] if marker and marker["files"] == files(join(base, version)) else None


def published_at(base: Location, version: int) -> float:
    """When the marker was written, in seconds since 1970."""
    marker = _marker(base, version)
    return float(marker["time"]) if marker else 0.0


def publish(source: Source, base: Location, version: int, before_visible: Callable[[], None]) -> None:
    """Uploads all files and the marker elsewhere, then moves them to the version's folder, `saved_model.pb` last.

    Raises:
        OSError: not all bytes have arrived.
        ServingError: the source is not as it must be.
        tensorflow.errors.OpError: the store refuses; what was written is removed, by the next push at the latest.
    """
    staging, target = join(base, f"{STAGING}{version}-{uuid.uuid4().hex}"), join(base, version)
    if _gfile.exists(target):
        _gfile.rmtree(target)
    require_expected(source.folder, source.manifest(), source.expected)
    sizes = dict(source.sizes)
    digest = source.digest()
    try:
        source.copy(lambda name: _new_file(join(staging, name)))
        arrived = files(staging)
        if arrived != sizes:
            raise OSError(f"{target}: {sum(arrived.values())} of {sum(sizes.values())} bytes have arrived")
        marker = {"time": time.time(), "digest": digest, "files": sizes}
        _write(join(staging, PUSH_COMPLETE), json.dumps(marker, indent=2) + "\n")
        before_visible()
        for name in [*sorted(set(sizes) - {SAVED_MODEL}), PUSH_COMPLETE, SAVED_MODEL]:
            _move(join(staging, name), join(target, name))
    except BaseException:
        # Another machine that took this push for dead may have published the same number meanwhile.
        _try_to_remove(target, unless=lambda: version in complete(base))
        raise
    finally:
        _try_to_remove(staging)


def remove(base: Location, version: int) -> None:
    """Removes a version, its marker first."""
    _gfile.remove(join(base, version, PUSH_COMPLETE))
    _gfile.rmtree(join(base, version))


def remove_leftovers(base: Location) -> None:
    """Removes unfinished uploads, and the versions that are not complete."""
    for name in text_names(base, STAGING):
        _gfile.rmtree(join(base, name))
    for number in sorted(set(numbers(base)) - set(complete(base))):
        _gfile.rmtree(join(base, number))


def read_text(base: Location, name: str) -> str | None:
    path = join(base, name)
    try:
        with _gfile.GFile(path, "rb") as file:
            content = bytes(file.read())
    except tf.errors.NotFoundError:
        return None
    return as_text(content, path)


def write_text(base: Location, name: str, text: str) -> None:
    """Replaces a small file, which the store does in one step for an object."""
    staging = join(base, f"{name}.{os.getpid()}")
    _write(staging, text)
    _gfile.rename(staging, join(base, name), overwrite=True)


def remove_text(base: Location, name: str) -> None:
    with contextlib.suppress(tf.errors.NotFoundError):
        _gfile.remove(join(base, name))


def text_names(base: Location, prefix: str) -> list[str]:
    return sorted(name.rstrip("/") for name in _gfile.listdir(base) if name.startswith(prefix))


def require_writable(base: Location) -> None:
    """Tries to write.

    Raises:
        OSError: TensorFlow does not know the store, or the store refuses.
    """
    probe = join(base, f".probe-{os.getpid()}")
    try:
        _write(probe, "")
        _gfile.remove(probe)
    except tf.errors.OpError as error:
        raise OSError(0, error.message) from error


def _marker(base: Location, version: int) -> dict[str, Any] | None:
    text = read_text(base, f"{version}/{PUSH_COMPLETE}")
    return json.loads(text) if text else None


def _new_file(path: str, mode: str = "wb") -> Any:
    # Object stores have no folders; other filesystems require that they exist.
    _gfile.makedirs(path.rpartition("/")[0])
    return _gfile.GFile(path, mode)


def _move(source: str, target: str) -> None:
    _gfile.makedirs(target.rpartition("/")[0])
    _gfile.rename(source, target, overwrite=True)


def _write(path: str, text: str) -> None:
    with _new_file(path, "w") as file:
        file.write(text)


def _try_to_remove(target: str, unless: Callable[[], bool] = lambda: False) -> None:
    try:
        if _gfile.exists(target) and not unless():
            _gfile.rmtree(target)
    except tf.errors.OpError:
        logging.getLogger(__name__).exception("%s cannot be removed now: the next push will remove it", target)
