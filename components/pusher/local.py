"""Versions on a local disk: each appears by one rename, after all its files have reached the disk.

The functions are those of `components.pusher.storage.Storage`, which describes them.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from components.pusher.layout import Location, Source, is_url, is_version, require_expected
from janus_core.files import STAGING, as_text, delete, replacing, sync, sync_tree, try_to_write
from janus_core.manifest import local_sizes, manifest_of
from serving.signatures import SAVED_MODEL


def exists(base: Location) -> bool:
    return Path(base).is_dir()


def numbers(base: Location) -> list[int]:
    if not Path(base).is_dir():
        return []
    return sorted(int(path.name) for path in Path(base).iterdir() if is_version(path.name) and path.is_dir())


def complete(base: Location) -> list[int]:
    return [number for number in numbers(base) if (Path(base) / str(number) / SAVED_MODEL).is_file()]


def files(folder: Location) -> dict[str, int]:
    return local_sizes(Path(folder))


def open_file(path: Location) -> BinaryIO:
    return Path(path).open("rb")


def stored_digest(base: Location, version: int) -> str | None:
    """None: single files on a disk may be damaged or lost, so the digest is always computed from them."""
    return None


def published_at(base: Location, version: int) -> float:
    """When a version was renamed to its number, in seconds since 1970."""
    return (Path(base) / str(version)).stat().st_ctime


def publish(source: Source, base: Location, version: int, before_visible: Callable[[], None]) -> None:
    """Copies a model to `base/version`, which appears by one rename; a server never sees a part of it.

    Raises:
        OSError: the folder cannot be written; nothing is left behind.
        ServingError: the copy is not as the source must be.
    """
    folder = Path(base)
    make_folders(folder)
    with replacing(folder / str(version)) as staging:
        if is_url(source.folder):
            source.copy(lambda name: _new_file(staging / name))
        else:
            # With its empty folders.
            shutil.copytree(source.folder, staging)
        require_expected(source.folder, manifest_of(staging), source.expected)
        for path in (staging, *staging.rglob("*")):
            _make_readable(path)
        sync_tree(staging)
        before_visible()
    sync(folder)


def remove(base: Location, version: int) -> None:
    """Removes a version. It is renamed first, so that a server never sees a part of it."""
    doomed = Path(base) / f"{STAGING}{version}-{os.getpid()}"
    (Path(base) / str(version)).rename(doomed)
    shutil.rmtree(doomed)


def remove_leftovers(base: Location) -> None:
    for leftover in Path(base).glob(f"{STAGING}*"):
        delete(leftover)


def read_text(base: Location, name: str) -> str | None:
    path = Path(base) / name
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return as_text(content, path)


def write_text(base: Location, name: str, text: str) -> None:
    """Replaces a small file, in one step and durably."""
    with replacing(Path(base) / name, durable=True) as staging:
        staging.write_text(text, encoding="utf-8")
        _make_readable(staging)


def remove_text(base: Location, name: str) -> None:
    (Path(base) / name).unlink(missing_ok=True)


def text_names(base: Location, prefix: str) -> list[str]:
    return sorted(path.name for path in Path(base).iterdir() if path.name.startswith(prefix))


def require_writable(base: Location) -> None:
    """Makes the folder if need be and tries to write in it.

    Raises:
        OSError: it cannot be made or written.
    """
    make_folders(Path(base))
    try_to_write(Path(base))


def make_folders(folder: Path) -> None:
    """Makes a folder and those above it, durably and readable for everybody."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _make_readable(folder)
    # The name of a new folder is part of its parent's content.
    sync(folder.parent)


def _make_readable(path: Path) -> None:
    # The server runs as another user, who must be able to read whatever the umask and the model's modes are.
    path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def _new_file(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")
