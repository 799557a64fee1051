"""Where versions are kept: on a local disk, or on a filesystem or object store that a URL names."""

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from components.pusher import local
from components.pusher.layout import Location, Source, is_url, join
from janus_core.manifest import Manifest


class Storage(Protocol):
    """The operations of both kinds of storage; `base` is the folder of versions."""

    def exists(self, base: Location) -> bool:
        """Whether the folder is there."""

    def numbers(self, base: Location) -> list[int]:
        """The numbered folders, oldest first, complete or not."""

    def complete(self, base: Location) -> list[int]:
        """The versions that may be served, oldest first."""

    def files(self, folder: Location) -> dict[str, int]:
        """All files below a folder: relative name → bytes."""

    def open_file(self, path: Location) -> AbstractContextManager[Any]:
        """Opens a file to read bytes."""

    def stored_digest(self, base: Location, version: int) -> str | None:
        """A version's content digest, if one was stored with it and its files have not changed since."""

    def published_at(self, base: Location, version: int) -> float:
        """When a version appeared, in seconds since 1970."""

    def publish(self, source: Source, base: Location, version: int, before_visible: Callable[[], None]) -> None:
        """Copies a model; calls `before_visible` just before the step that makes the version appear."""

    def remove(self, base: Location, version: int) -> None:
        """Removes a version; no reader sees a part of it as a version."""

    def remove_leftovers(self, base: Location) -> None:
        """Removes what interrupted pushes left behind."""

    def read_text(self, base: Location, name: str) -> str | None:
        """A small file's content; None if it is not there. ConfigError if it is not UTF-8."""

    def write_text(self, base: Location, name: str, text: str) -> None:
        """Replaces a small file, in one step."""

    def remove_text(self, base: Location, name: str) -> None:
        """Removes a small file, if it is there."""

    def text_names(self, base: Location, prefix: str) -> list[str]:
        """The names of the small files that begin with `prefix`."""

    def require_writable(self, base: Location) -> None:
        """Makes the folder if need be and tries to write in it; raises OSError."""


def storage_of(location: Location) -> Storage:
    """The functions that work at a location; those for URLs load TensorFlow."""
    if is_url(location):
        from components.pusher import remote

        return remote
    return local


def source_of(folder: Location, expected: Manifest | None = None) -> Source:
    """The files of a model; `expected` is what they must be when they are published.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    storage = storage_of(folder)
    if not storage.exists(folder):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(folder))
    return Source(folder, storage.files(folder), lambda name: storage.open_file(join(folder, name)), expected)


def content_digest(folder: Location) -> str:
    """A digest of all files below a folder, by their relative names and bytes.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    return source_of(folder).digest()
