"""One push or rollback at a time into a folder of versions."""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.pusher.local import make_folders
from components.pusher.storage import Location, is_url
from trainer.errors import JanusError

LOCK_FILE = ".lock"
POLL_SECONDS = 0.1


@contextmanager
def exclusive(base: Location, wait_seconds: float = 300.0) -> Iterator[None]:
    """Holds the folder's lock file, which dies with the process.

    A URL's lock lies in this machine's folder for temporary files: it keeps out this machine's processes only.

    Args:
        base: the folder of versions; a local one is made if need be.
        wait_seconds: how long to wait for another process.

    Raises:
        JanusError: another process holds it for longer than that.
    """
    path = _lock_file(base)
    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + wait_seconds
        while not _taken(file.fileno()):
            if time.monotonic() >= deadline:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise JanusError(
                    f"another push or rollback into {base} is under way (process {holder}): "
                    "wait until it ends, then try again"
                )
            time.sleep(POLL_SECONDS)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(base: Location) -> Path:
    if not is_url(base):
        make_folders(Path(base))
        return Path(base) / LOCK_FILE
    folder = Path(tempfile.gettempdir()) / f"janus-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = hashlib.sha256(os.fspath(base).rstrip("/").encode()).hexdigest()[:32]
    return folder / f"{name}.lock"
