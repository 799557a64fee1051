"""Paths and URLs of a folder of versions, the names in it, and a model's files wherever they are."""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from janus_core.errors import ServingError
from janus_core.manifest import Manifest, first_difference, manifest_with

Location = str | os.PathLike[str]
"""A path, or a URL such as gs://bucket/models. A URL must stay text: pathlib would take a slash from it."""


def is_url(location: Location) -> bool:
    """Whether it names a filesystem of its own, as gs://, s3://, hdfs:// do."""
    return "://" in os.fspath(location)


def join(base: Location, *names: str | int) -> str:
    """A path or URL below another."""
    return "/".join([os.fspath(base).rstrip("/"), *map(str, names)])


GREATEST_VERSION = 2**63 - 1


def is_version(name: str) -> bool:
    """Whether a folder of this name is a version: its number in 64 bits, as TensorFlow Serving reads it, without
    leading zeros."""
    return name.isascii() and name.isdigit() and str(int(name)) == name and int(name) <= GREATEST_VERSION


_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """The files of a model.

    Attributes:
        folder: where they are.
        sizes: name relative to the model's folder → bytes.
        open_file: opens a file of this name to read bytes.
        expected: what the files must be, where that is known.
    """

    folder: Location
    sizes: Mapping[str, int]
    open_file: Callable[[str], AbstractContextManager[Any]]
    expected: Manifest | None = None

    def digest(self) -> str:
        """The SHA-256 of all names, sizes and contents, in hexadecimal digits."""
        digest = hashlib.sha256()
        for name in sorted(self.sizes, key=lambda name: name.split("/")):
            digest.update(f"{name}\0{self.sizes[name]}\0".encode())
            with self.open_file(name) as file:
                for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
                    digest.update(block)
        return digest.hexdigest()

    def manifest(self) -> Manifest:
        """Size and digest of each file."""
        return manifest_with(self.sizes, self.open_file)

    def copy(self, open_target: Callable[[str], AbstractContextManager[Any]]) -> None:
        """Copies all files; `open_target` opens the copy of this name to write bytes, and makes its folder."""
        for name in sorted(self.sizes):
            with self.open_file(name) as read, open_target(name) as written:
                shutil.copyfileobj(read, written, _BLOCK_BYTES)


def require_expected(folder: Location, files: Manifest, expected: Manifest | None) -> None:
    """Checks the files of a model, or of a copy of it, before they are published.

    Raises:
        ServingError: one is not as expected.
    """
    difference = first_difference(expected, files) if expected is not None else None
    if difference:
        name, how = difference
        raise ServingError(
            f"{join(folder, name)} {how}: the model is no longer the one that passed the serving check, so nothing was "
            "pushed; the next `janus run` makes it again"
        )
