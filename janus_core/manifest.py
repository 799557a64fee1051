"""What files a folder holds, so that a later reader sees whether they are still the same."""

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 1 << 20
MOST_BYTES = 1 << 30
"""How much of a folder's content `damage` reads: about half a second's work for a processor."""
_THREADS = 4


@dataclass(frozen=True)
class FileState:
    """A file's content, by its size in bytes and its SHA-256 in hexadecimal digits, or that of a part of its blocks."""

    size: int
    sha256: str


Manifest = Mapping[str, FileState]
"""Name relative to the folder, with slashes → the file."""


def manifest_of(folder: Path, most_bytes: int | None = None) -> dict[str, FileState]:
    """All files below a local folder; none if there is no such folder. `most_bytes` as in `manifest_with`."""
    return manifest_with(local_sizes(folder), lambda name: (folder / name).open("rb"), most_bytes)


def manifest_with(
    sizes: Mapping[str, int],
    open_file: Callable[[str], AbstractContextManager[Any]],
    most_bytes: int | None = None,
) -> dict[str, FileState]:
    """The files of these names and sizes, read by `open_file`, several at a time.

    If all of them have more than `most_bytes`, only every second, third, … block of a MiB is read.
    """
    step = _BLOCK_BYTES * max(1, math.ceil(sum(sizes.values()) / most_bytes)) if most_bytes else _BLOCK_BYTES

    def state(name: str) -> FileState:
        digest = hashlib.sha256()
        with open_file(name) as file:
            for start in range(0, sizes[name], step):
                file.seek(start)
                digest.update(file.read(_BLOCK_BYTES))
        return FileState(sizes[name], digest.hexdigest())

    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(zip(sorted(sizes), threads.map(state, sorted(sizes)), strict=True))


def local_sizes(folder: Path) -> dict[str, int]:
    """The files below a local folder: name relative to it, with slashes → bytes."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def first_difference(expected: Manifest, present: Manifest) -> tuple[str, str] | None:
    """The first file that is not as expected, and how it differs; None if all files are the same."""
    for name in sorted({*expected, *present}):
        if name not in present:
            return name, "is missing"
        if name not in expected:
            return name, "was added"
        if present[name].size != expected[name].size:
            return name, f"has {present[name].size} bytes instead of {expected[name].size}"
        if present[name] != expected[name]:
            return name, "has different content"
    return None


def damage(folder: Path, expected: Manifest, most_bytes: int | None = None) -> tuple[str, str] | None:
    """As `first_difference`, of a local folder whose further files do not count; contents are read if all sizes fit."""
    try:
        sizes = {name: size for name, size in local_sizes(folder).items() if name in expected}
        present = {name: FileState(size, expected[name].sha256) for name, size in sizes.items()}
        return first_difference(expected, present) or first_difference(
            expected, manifest_with(sizes, lambda name: (folder / name).open("rb"), most_bytes)
        )
    except OSError as error:
        return os.path.relpath(error.filename or folder, folder), f"cannot be read ({error.strerror})"


def to_json(manifest: Manifest) -> str:
    """As text, for a property in ML Metadata."""
    return json.dumps({name: [file.size, file.sha256] for name, file in sorted(manifest.items())})


def from_json(text: str) -> dict[str, FileState]:
    """Reads what `to_json` wrote."""
    return {name: FileState(*file) for name, file in json.loads(text).items()}
