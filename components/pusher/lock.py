"""One push or rollback at a time into a folder of versions: a lock file for this machine, a lease for all of them."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from components.pusher.layout import Location, is_url
from components.pusher.lease import leased
from components.pusher.local import make_folders
from janus_core import files

LOCK_FILE = ".lock"


@dataclass(frozen=True)
class Claim:
    """Who wants to push, and how long they wait.

    Attributes:
        holder: the run or process, the same for each attempt of a step.
        wait_seconds: how long to wait for another push or rollback.
        lease_seconds: after which another machine may treat the holder as dead.
    """

    holder: str = field(default_factory=lambda: f"process {os.getpid()}")
    wait_seconds: float = 300.0
    lease_seconds: float = 3600.0


@contextmanager
def exclusive(base: Location, claim: Claim) -> Iterator[None]:
    """Holds the folder's lock file, which keeps out other processes of this machine, and its lease.

    The lock file of a URL is in this machine's folder for temporary files. The mode of that of a local folder follows
    the umask, unlike those of the other files there, which servers read as another user: only who pushes opens it, and
    who may push together is for the umask to say, as it does for the versions' folders.

    Args:
        base: the folder of versions; a local one is made if need be.
        claim: who wants it.

    Raises:
        JanusError: another process or machine holds it for longer than the claim waits.
    """
    deadline = time.monotonic() + claim.wait_seconds
    refusal = (
        f"another push or rollback into {base} is under way (process {{holder}}): wait until it ends, then try again"
    )
    with (
        files.exclusive(_lock_file(base), refusal, claim.wait_seconds),
        leased(base, claim.holder, claim.lease_seconds, max(0.0, deadline - time.monotonic())),
    ):
        yield


def _lock_file(base: Location) -> Path:
    if not is_url(base):
        make_folders(Path(base))
        return Path(base) / LOCK_FILE
    folder = Path(tempfile.gettempdir()) / f"janus-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = hashlib.sha256(os.fspath(base).rstrip("/").encode()).hexdigest()[:32]
    return folder / f"{name}.lock"
