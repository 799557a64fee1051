"""Versions on a local disk: each appears by one rename, after all of it has reached the disk."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from janus_core.files import STAGING, delete, replacing, sync, sync_tree, try_to_write

SAVED_MODEL = "saved_model.pb"
"""The file without which a folder is no model."""


def exists(base: str) -> bool:
    """Whether the folder is there."""
    return Path(base).is_dir()


def numbers(base: str) -> list[int]:
    """The numbered folders, oldest first, complete or not."""
    if not Path(base).is_dir():
        return []
    return sorted(int(path.name) for path in Path(base).iterdir() if _is_number(path.name) and path.is_dir())


def complete(base: str) -> list[int]:
    """The versions that may be served, oldest first."""
    return [number for number in numbers(base) if (Path(base) / str(number) / SAVED_MODEL).is_file()]


def files(folder: str) -> dict[str, int]:
    """All files below a folder: relative name → bytes."""
    root = Path(folder)
    return {path.relative_to(root).as_posix(): path.stat().st_size for path in root.rglob("*") if path.is_file()}


def open_file(path: str) -> BinaryIO:
    """Opens a file to read bytes."""
    return Path(path).open("rb")


def stored_digest(base: str, version: int) -> str | None:
    """None: on a disk, files may be damaged or lost one by one, so they are read."""
    return None


def published_at(base: str, version: int) -> float:
    """When a version was renamed to its number, in seconds since 1970."""
    return (Path(base) / str(version)).stat().st_ctime


def publish(source: str, base: str, version: int, before_visible: Callable[[], None]) -> None:
    """Copies a model to `base/version`, which appears by one rename; a server never sees a part of it.

    Raises:
        OSError: the folder cannot be written; nothing is left behind.
    """
    folder = Path(base)
    make_folders(folder)
    with replacing(folder / str(version)) as staging:
        _copy(source, staging)
        for path in (staging, *staging.rglob("*")):
            _make_readable(path)
        sync_tree(staging)
        before_visible()
    sync(folder)


def remove(base: str, version: int) -> None:
    """Removes a version. It is renamed first: a server must not see one that is half gone."""
    doomed = Path(base) / f"{STAGING}{version}-{os.getpid()}"
    (Path(base) / str(version)).rename(doomed)
    shutil.rmtree(doomed)


def remove_leftovers(base: str) -> None:
    """Removes what killed pushes left behind."""
    for leftover in Path(base).glob(f"{STAGING}*"):
        delete(leftover)


def read_text(base: str, name: str) -> str | None:
    """A small file's content; None if it is not there."""
    try:
        return (Path(base) / name).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_text(base: str, name: str, text: str) -> None:
    """Replaces a small file, in one step that outlives a power cut."""
    with replacing(Path(base) / name, durable=True) as staging:
        staging.write_text(text, encoding="utf-8")
        _make_readable(staging)


def remove_text(base: str, name: str) -> None:
    """Removes a small file, if it is there."""
    (Path(base) / name).unlink(missing_ok=True)


def text_names(base: str, prefix: str) -> list[str]:
    """The names of the small files that begin so."""
    return sorted(path.name for path in Path(base).iterdir() if path.name.startswith(prefix))


def require_writable(base: str) -> None:
    """Makes the folder if need be and tries to write in it.

    Raises:
        OSError: it cannot be made or written.
    """
    make_folders(Path(base))
    try_to_write(Path(base))


def make_folders(folder: Path) -> None:
    """Makes a folder and those above it, so that they outlive a power cut, and everybody may read them."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _make_readable(folder)
    # A new folder's name stands in its parent.
    sync(folder.parent)


def _make_readable(path: Path) -> None:
    # The server runs as a user of its own, whatever the umask here and the model's modes are.
    path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def _copy(source: str, target: Path) -> None:
    if "://" not in source:
        shutil.copytree(source, target)
        return
    from components.pusher import remote

    target.mkdir()
    for name in remote.files(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with remote.open_file(f"{source}/{name}") as read, (target / name).open("wb") as written:
            shutil.copyfileobj(read, written, 1 << 20)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and str(int(name)) == name
