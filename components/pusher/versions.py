"""A folder of numbered model versions, as TensorFlow Serving watches it."""

import hashlib
import os
import shutil
import time
from pathlib import Path

_STAGING = ".staging-"


def versions(base: Path) -> list[int]:
    """The versions that are there, oldest first."""
    if not base.is_dir():
        return []
    return sorted(int(path.name) for path in base.iterdir() if path.name.isdigit() and path.is_dir())


def version_for(model: Path, base: Path) -> int:
    """The newest version, if it holds this very model; else a new version, later than all others."""
    present = versions(base)
    if present and content_digest(base / str(present[-1])) == content_digest(model):
        return present[-1]
    return max(int(time.time()), present[-1] + 1 if present else 0)


def publish(model: Path, base: Path, version: int) -> Path:
    """Copies a model to `base/version`, which appears whole or not at all.

    A server that watches the folder, or one started after a power cut, never sees a part of a version.

    Raises:
        OSError: the folder cannot be written; nothing is left behind.
    """
    target = base / str(version)
    if target.exists():
        return target
    base.mkdir(parents=True, exist_ok=True)
    staging = base / f"{_STAGING}{version}-{os.getpid()}"
    try:
        shutil.copytree(model, staging)
        for path in staging.rglob("*"):
            _sync(path)
        _sync(staging)
        staging.rename(target)
        _sync(base)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def retain(base: Path, keep: int) -> list[int]:
    """Removes all but the newest `keep` versions, and returns those removed."""
    removed = versions(base)[:-keep]
    for version in removed:
        # Renamed first: a server must not see a version that is half gone.
        doomed = base / f"{_STAGING}{version}-{os.getpid()}"
        (base / str(version)).rename(doomed)
        shutil.rmtree(doomed)
    return removed


def remove_leftovers(base: Path) -> None:
    """Removes what killed pushes left behind; no other push into this folder may be under way."""
    for leftover in base.glob(f"{_STAGING}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def content_digest(folder: Path) -> str:
    """A digest of all files below a folder, by their relative names and bytes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
