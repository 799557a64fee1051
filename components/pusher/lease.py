"""One push or rollback at a time into a folder of versions, among several machines.

A file lock is known to one machine only, and an object store has none. Therefore each process that wants to push writes
a ticket beside the versions and lists the tickets. If there is no other, it holds the lease; else it removes its own
ticket and tries again later. The ticket is written before the list is read, so that of two processes that start at the
same time at least one sees the other's. This needs a store with consistent listing: local and network file systems,
GCS, S3 (since 2020).
"""

import json
import random
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from components.pusher.layout import Location
from components.pusher.storage import storage_of
from janus_core.errors import JanusError

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
