"""What files a folder holds, so that a later reader sees whether they are still the same."""

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 1 << 20
_THREADS = 4


@dataclass(frozen=True)
class FileState:
    """A file's content, by its size in bytes and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


Manifest = Mapping[str, FileState]
"""Name relative to the folder, with slashes → the file."""


def manifest_of(folder: Path) -> dict[str, FileState]:
    """All files below a local folder; none if there is no such folder."""
    return manifest_with(local_sizes(folder), lambda name: (folder / name).open("rb"))


def manifest_with(
    sizes: Mapping[str, int], open_file: Callable[[str], AbstractContextManager[Any]]
) -> dict[str, FileState]:
    """The files of these names and sizes, read by `open_file`, several at a time."""

    def state(name: str) -> FileState:
        digest = hashlib.sha256()
        with open_file(name) as file:
            for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
                digest.update(block)
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


def to_json(manifest: Manifest) -> str:
    """As text, for a property in ML Metadata."""
    return json.dumps({name: [file.size, file.sha256] for name, file in sorted(manifest.items())})


def from_json(text: str) -> dict[str, FileState]:
    """Reads what `to_json` wrote."""
    return {name: FileState(*file) for name, file in json.loads(text).items()}
