"""Files and folders that appear whole or not at all, and locks between the processes of one machine."""

import fcntl
import glob
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from janus_core.errors import ConfigError, JanusError

STAGING = ".staging-"
"""How the names of unfinished files and folders begin."""

_POLL_SECONDS = 0.1


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """Yields a free name beside `path`; the file, folder or link made there takes its place when the block ends well.

    Readers of `path` see the old content or the new one, never a part. After an error nothing is left behind.

    Args:
        path: what is replaced, or made; its folder is made if need be.
        durable: whether the content must survive a power cut.

    Raises:
        OSError: it cannot be written; the error names a path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f"{STAGING}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")
    try:
        yield staging
        if durable:
            sync_tree(staging)
        _move(staging, path)
        if durable:
            sync(path.parent)
    except OSError as error:
        # A write to an open file, as on a full disk, fails without a name. One without a number cannot hold it.
        if error.errno is not None:
            error.filename = error.filename or str(path)
        raise
    finally:
        delete(staging)


def write_text(path: Path, text: str, durable: bool = False) -> Path:
    """Writes a text file, whole or not at all, and returns its path; arguments and errors as in `replacing`."""
    with replacing(path, durable) as staging:
        staging.write_text(text, encoding="utf-8")
    return path


def as_text(content: bytes, place: object) -> str:
    """The text of a small file that people may have edited.

    Raises:
        ConfigError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise ConfigError(
            f"{place} is not UTF-8 (byte 0x{byte:02x} at {error.start}): save it as UTF-8, or restore it from a copy"
        ) from error


def write_texts(texts: Mapping[Path, str]) -> None:
    """Writes several text files: none takes its place before all are written.

    Raises:
        OSError: one cannot be written.
    """
    with ExitStack() as stack:
        for path, text in texts.items():
            stack.enter_context(replacing(path)).write_text(text, encoding="utf-8")


def link_to(link: Path, target: str) -> None:
    """Points a symbolic link to a sibling, in one step."""
    with replacing(link) as staging:
        staging.symlink_to(target)


def delete(path: Path) -> None:
    """Removes a file, a link or a folder with all it holds, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def delete_unfinished(path: Path) -> None:
    """Removes what this process has begun to write in place of `path`, before it ends without leaving `replacing`."""
    for staging in path.parent.glob(f"{STAGING}{os.getpid()}-*-{glob.escape(path.name)}"):
        delete(staging)


def delete_abandoned(folder: Path) -> None:
    """Removes what processes that no longer exist had begun to write in place of what is in a folder."""
    for staging in folder.glob(f"{STAGING}*"):
        process = staging.name.removeprefix(STAGING).partition("-")[0]
        if process.isdecimal() and not _is_running(int(process)):
            delete(staging)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's list of names, has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Waits until a file, or a folder with all that it holds, has reached the disk."""
    if path.is_dir():
        for below in path.rglob("*"):
            sync(below)
    sync(path)


def try_to_write(folder: Path) -> None:
    """Makes the folder if need be, and tries to write in it.

    Raises:
        OSError: it cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f"{STAGING}{os.getpid()}-probe"
    probe.touch()
    probe.unlink(missing_ok=True)  # a push into this folder may have cleaned up meanwhile


@contextmanager
def exclusive(path: Path, refusal: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Holds a lock file, which the operating system releases when the process ends, however it ends.

    Args:
        path: the file, in a folder that exists.
        refusal: the error's message; `{holder}` in it becomes the other process's id.
        wait_seconds: how long to wait for another process.

    Raises:
        JanusError: another process holds it for longer than that.
        OSError: it is a link, or cannot be written.
    """
    deadline = time.monotonic() + wait_seconds
    with open(path, "a+", encoding="utf-8", opener=_open_no_link) as file:
        while not try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                file.seek(0)
                raise JanusError(refusal.replace("{holder}", file.read().strip() or "unknown"))
            time.sleep(_POLL_SECONDS)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _open_no_link(path: str, flags: int) -> int:
    """Opens a file; a link, which could make another file lose its content, is an error."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def try_lock(descriptor: int) -> bool:
    """Locks an open file until it is closed; False if another process, or another opening of it, holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _move(staging: Path, path: Path) -> None:
    if not staging.is_dir() or staging.is_symlink() or not os.path.lexists(path):
        staging.replace(path)
        return
    # A folder cannot be renamed onto another: the old one steps aside, and comes back if the new one cannot be moved.
    old = staging.with_name(f"{staging.name}-old")
    path.rename(old)
    try:
        staging.rename(path)
    except BaseException:
        old.rename(path)
        raise
    delete(old)
