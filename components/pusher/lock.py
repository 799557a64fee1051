"""One push or rollback at a time into a folder of versions: a lock file for this machine, a lease for all of them.

A file lock is known to one machine only, and an object store has none. Therefore each process that wants to push writes
a ticket beside the versions and lists the tickets. If there is no other, it holds the lease; else it removes its own
ticket and tries again later. The ticket is written before the list is read, so that of two processes that start at the
same time at least one sees the other's. This needs a store with consistent listing: local and network file systems,
GCS, S3 (since 2020).
"""

import contextlib
import hashlib
import json
import os
import random
import socket
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from components.pusher.layout import Location, is_url
from components.pusher.local import make_folders
from components.pusher.storage import storage_of
from janus_core import files
from janus_core.errors import JanusError
from janus_core.temporary import shared_folder

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
    folder = _private_folder(shared_folder() / f"janus-locks-{os.getuid()}")
    name = hashlib.sha256(os.fspath(base).rstrip("/").encode()).hexdigest()[:32]
    return folder / f"{name}.lock"


def _private_folder(path: Path) -> Path:
    """A folder that only this user can enter, in one where everybody may have made something of that name before."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise JanusError(
            f"{path}, the folder of this user's lock files, is a link, is another user's or is open to others: remove "
            "it, or set TMPDIR to a folder of your own"
        )
    return path


PREFIX = ".lease-"
POLL_SECONDS = (0.2, 2.0)
CLOCK_SKEW_SECONDS = 60.0
"""How far the machines' clocks may differ: a ticket counts as expired only this long after its time."""


@dataclass(frozen=True)
class Ticket:
    """The content of a ticket.

    Attributes:
        holder: the run or process, the same for each attempt of a step.
        host: the machine or pod.
        expires: seconds since 1970 after which the holder counts as dead.
    """

    holder: str
    host: str
    expires: float


@contextmanager
def leased(base: Location, holder: str, seconds: float, wait_seconds: float) -> Iterator[None]:
    """Holds the folder against other machines; the caller has locked out this machine's other processes before.

    Args:
        base: the folder of versions, which must exist if it is a local one.
        holder: who holds the lease. A ticket of the same holder, or of this machine, belongs to an earlier attempt that
            has ended, and is removed.
        seconds: after which other machines may treat this process as dead.
        wait_seconds: how long to wait for another holder.

    Raises:
        JanusError: another holder keeps the lease for longer than that.
        OSError: the folder cannot be written.
    """
    storage = storage_of(base)
    host = socket.gethostname()
    name = f"{PREFIX}{uuid.uuid4().hex}"
    deadline = time.monotonic() + wait_seconds
    try:
        while True:
            storage.write_text(base, name, json.dumps(asdict(Ticket(holder, host, time.time() + seconds))))
            other = _living_other(base, name, holder, host)
            if other is None:
                break
            storage.remove_text(base, name)
            if time.monotonic() >= deadline:
                raise JanusError(
                    f"another push or rollback into {base} is under way ({other.holder} on {other.host}, which counts "
                    f"as dead in {max(0.0, other.expires + CLOCK_SKEW_SECONDS - time.time()):.0f} s): wait until it "
                    "ends, then try again"
                )
            time.sleep(random.uniform(*POLL_SECONDS))  # random, so that two processes do not collide for ever
        yield
    finally:
        storage.remove_text(base, name)


def _living_other(base: Location, own: str, holder: str, host: str) -> Ticket | None:
    """Another holder's valid ticket; expired ones are removed."""
    storage = storage_of(base)
    for name in storage.text_names(base, PREFIX):
        text = storage.read_text(base, name) if name != own else None
        if text is None:
            continue
        try:
            ticket = Ticket(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise JanusError(
                f"{base}/{name} is no ticket of a push: {error}; remove it if nothing is pushing"
            ) from error
        if ticket.holder == holder or ticket.host == host or ticket.expires + CLOCK_SKEW_SECONDS < time.time():
            storage.remove_text(base, name)
        else:
            return ticket
    return None
