"""Where versions are kept: on a local disk, or on a filesystem or object store that a URL names."""

import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from components.pusher import local

Location = str | os.PathLike[str]
"""A path, or a URL such as gs://bucket/models. A URL must stay text: pathlib would take a slash from it."""


class Storage(Protocol):
    """What both kinds can do; `base` is the folder of versions."""

    def exists(self, base: str) -> bool:
        """Whether the folder is there."""

    def numbers(self, base: str) -> list[int]:
        """The numbered folders, oldest first, complete or not."""

    def complete(self, base: str) -> list[int]:
        """The versions that may be served, oldest first."""

    def files(self, folder: str) -> dict[str, int]:
        """All files below a folder: relative name → bytes."""

    def open_file(self, path: str) -> AbstractContextManager[Any]:
        """Opens a file to read bytes."""

    def stored_digest(self, base: str, version: int) -> str | None:
        """A version's content digest where it was stored with it, and its files are still those."""

    def published_at(self, base: str, version: int) -> float:
        """When a version appeared, in seconds since 1970."""

    def publish(self, source: str, base: str, version: int, before_visible: Callable[[], None]) -> None:
        """Copies a model; calls `before_visible` when all is ready for the step that makes the version appear."""

    def remove(self, base: str, version: int) -> None:
        """Removes a version; nobody sees a part of it as a version."""

    def remove_leftovers(self, base: str) -> None:
        """Removes what killed pushes left behind."""

    def read_text(self, base: str, name: str) -> str | None:
        """A small file's content; None if it is not there."""

    def write_text(self, base: str, name: str, text: str) -> None:
        """Replaces a small file, in one step."""

    def remove_text(self, base: str, name: str) -> None:
        """Removes a small file, if it is there."""

    def text_names(self, base: str, prefix: str) -> list[str]:
        """The names of the small files that begin so."""

    def require_writable(self, base: str) -> None:
        """Makes the folder if need be and tries to write in it; raises OSError."""


def is_url(location: Location) -> bool:
    """Whether it names a filesystem of its own, as gs://, s3://, hdfs:// do."""
    return "://" in os.fspath(location)


def storage_of(location: Location) -> Storage:
    """The functions that work at a location; those for URLs load TensorFlow."""
    if is_url(location):
        from components.pusher import remote

        return remote
    return local


def join(base: Location, *names: str | int) -> str:
    """A path or URL below another."""
    return "/".join([os.fspath(base).rstrip("/"), *map(str, names)])


def content_digest(folder: Location) -> str:
    """A digest of all files below a folder, by their relative names and bytes.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    storage, root = storage_of(folder), os.fspath(folder)
    if not storage.exists(root):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), root)
    digest = hashlib.sha256()
    files: Mapping[str, int] = storage.files(root)
    for name in sorted(files, key=lambda name: name.split("/")):
        digest.update(f"{name}\0{files[name]}\0".encode())
        with storage.open_file(join(root, name)) as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()
