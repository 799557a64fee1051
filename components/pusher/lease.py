"""One push or rollback at a time into a folder of versions, between machines.

A file lock is known to one machine, and an object store has none. So whoever wants to push writes a ticket beside the
versions and lists the tickets: who finds no other has the lease, who finds one takes the own one back and tries again
later. The ticket is written before the list is read, so that of two who come at once at least one sees the other's.
That needs a store whose lists show what was written before: local and network file systems, GCS, S3 (since 2020).
"""

import json
import os
import random
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from components.pusher.storage import Location, storage_of
from janus_core.errors import JanusError

PREFIX = ".lease-"
POLL_SECONDS = (0.2, 2.0)
CLOCK_SKEW_SECONDS = 60.0
"""How far the machines' clocks may differ: a ticket counts as dead only so long after its time."""


@dataclass(frozen=True)
class Ticket:
    """What stands in a ticket.

    Attributes:
        holder: who it is, the same for each try of a step.
        host: the machine or pod.
        expires: seconds since 1970, after which the holder counts as dead.
    """

    holder: str
    host: str
    expires: float


@contextmanager
def leased(base: Location, holder: str, seconds: float, wait_seconds: float) -> Iterator[None]:
    """Holds the folder against other machines; the caller keeps out this machine's other processes before.

    Args:
        base: the folder of versions, which must exist if it is a local one.
        holder: of the same name, and of this machine, can only be a dead earlier try, whose ticket is removed.
        seconds: after which others may take this process for dead.
        wait_seconds: how long to wait for another holder.

    Raises:
        JanusError: another holder has it for longer than that.
        OSError: the folder cannot be written.
    """
    storage, place = storage_of(base), os.fspath(base)
    host = socket.gethostname()
    name = f"{PREFIX}{uuid.uuid4().hex}"
    deadline = time.monotonic() + wait_seconds
    try:
        while True:
            storage.write_text(place, name, json.dumps(asdict(Ticket(holder, host, time.time() + seconds))))
            other = _living_other(place, name, holder, host)
            if other is None:
                break
            storage.remove_text(place, name)
            if time.monotonic() >= deadline:
                raise JanusError(
                    f"another push or rollback into {place} is under way ({other.holder} on {other.host}, which counts "
                    f"as dead in {max(0.0, other.expires + CLOCK_SKEW_SECONDS - time.time()):.0f} s): wait until it "
                    "ends, then try again"
                )
            time.sleep(random.uniform(*POLL_SECONDS))  # unequal, so that two do not meet for ever
        yield
    finally:
        storage.remove_text(place, name)


def _living_other(place: str, own: str, holder: str, host: str) -> Ticket | None:
    """Another's valid ticket; those of the dead are removed."""
    storage = storage_of(place)
    for name in storage.text_names(place, PREFIX):
        text = storage.read_text(place, name) if name != own else None
        if text is None:
            continue
        try:
            ticket = Ticket(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise JanusError(
                f"{place}/{name} is no ticket of a push: {error}; remove it if nothing is pushing"
            ) from error
        if ticket.holder == holder or ticket.host == host or ticket.expires + CLOCK_SKEW_SECONDS < time.time():
            storage.remove_text(place, name)
        else:
            return ticket
    return None
