"""Pushes and rollbacks that are killed, have no room, or all happen at the same time, beside a process that reads."""

import errno
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from components.pusher.lock import Claim
from components.pusher.push import push
from components.pusher.rollback import roll_back
from components.pusher.storage import content_digest
from components.pusher.versions import versions
from janus_core.errors import JanusError
from janus_core.files import STAGING
from tests.chaos.finding import Finding

FILES, FILE_BYTES, KEEP = 12, 20_000, 3
REFUSED, UNCLEAR = 2, 3
"""Exit codes of a child whose work was refused with a message, or ended otherwise."""


class Folder:
    """A folder of versions, and the models that may be in it: each is the digits of one number over and over."""

    def __init__(self, folder: Path):
        self.base = folder / "versions"
        self._models = folder / "models"
        self._count = 0
        self.push()
        self.push()

    def model(self) -> Path:
        """A new model."""
        self._count += 1
        model = self._models / str(self._count)
        for number in range(FILES):
            path = model / ("saved_model.pb" if not number else f"variables/{number}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{self._count}\n" * (FILE_BYTES // len(f"{self._count}\n")), encoding="utf-8")
        return model

    def push(self, model: Path | None = None) -> None:
        """Pushes a new model."""
        push(model or self.model(), self.base, KEEP, claim=Claim(wait_seconds=60))

    def roll_back(self) -> None:
        """Takes the served model back."""
        roll_back(self.base, lambda path: None, wait_seconds=60)

    def half(self) -> list[str]:
        """The versions that are not one of the models as a whole."""
        return [f"version {number}" for number in versions(self.base) if not self._is_whole(number)]

    def _is_whole(self, number: int) -> bool:
        content = (self.base / str(number) / "saved_model.pb").read_text(encoding="utf-8")
        model = self._models / content.partition("\n")[0]
        return model.is_dir() and content_digest(model) == content_digest(self.base / str(number))


def child(work: Callable[[], object]) -> int:
    """Starts a process that does the work; its exit code says how that went."""
    pid = os.fork()
    if pid:
        return pid
    code = UNCLEAR
    try:
        work()
        code = 0
    except (JanusError, OSError) as error:
        code = REFUSED if str(error) else UNCLEAR
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int) -> int:
    """The exit code of a child; minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kills(folder: Path, rounds: int, random: Random) -> Finding:
    """SIGKILL at random moments inside pushes and rollbacks."""
    finding = Finding("SIGKILL inside a push or rollback")
    place = Folder(folder)
    started = time.monotonic()
    place.push()
    usual = time.monotonic() - started
    for _ in range(rounds):
        work = _some_work(place, random)
        pid = child(work)
        time.sleep(random.uniform(0, 1.3 * usual))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _note(finding, ended(pid))
        _check(finding, place)
    return finding


def full_disks(folder: Path, rounds: int, random: Random) -> Finding:
    """No room from one step of a push or rollback on, or for files above a size."""
    finding = Finding("full disk inside a push or rollback")
    place = Folder(folder)
    for _ in range(rounds):
        work = _some_work(place, random)
        limit = _no_room_from(random.randint(1, 60)) if random.random() < 0.7 else _no_larger_files(random)

        def limited(work: Callable[[], object] = work, limit: Callable[[], None] = limit) -> None:
            limit()
            work()

        _note(finding, ended(child(limited)))
        _check(finding, place)
    return finding


def concurrent(folder: Path, rounds: int, random: Random) -> Finding:
    """Six pushes and rollbacks at the same time, beside a reader of the newest version."""
    finding = Finding("six pushes and rollbacks at a time, and a reader")
    place = Folder(folder)
    stop = folder / "stop"
    counted = folder / "counted"
    reader = child(lambda: _read_until(stop, place, counted))
    for _ in range(rounds):
        for pid in [child(_some_work(place, random)) for _ in range(6)]:
            _note(finding, ended(pid), rounds=0)
        finding.rounds += 1
        _check(finding, place)
    stop.touch()
    if code := ended(reader):
        finding.violated("half", f"the reader ended with {code}: {counted.read_text(encoding='utf-8')}")
    else:
        finding.more["versions read"] = int(counted.read_text(encoding="utf-8"))
    return finding


def _some_work(place: Folder, random: Random) -> Callable[[], object]:
    if random.random() < 0.6:
        model = place.model()
        return lambda: place.push(model)
    return place.roll_back


def _note(finding: Finding, code: int, rounds: int = 1) -> None:
    finding.rounds += rounds
    names = {0: "done", REFUSED: "refused", -signal.SIGKILL: "killed"}
    if code not in names:
        finding.violated("unclear", f"exit code {code}")
    finding.ends[names.get(code, "unclear")] += 1


def _check(finding: Finding, place: Folder) -> None:
    """What is visible is whole, and the next push goes well."""
    for half in place.half():
        finding.violated("half", half)
    try:
        place.push()
    except Exception as error:
        finding.violated("dead", f"{type(error).__name__}: {error}")
    if left := [path.name for path in place.base.glob(f"{STAGING}*")]:
        finding.violated("dead", f"left behind: {left}")


def _read_until(stop: Path, place: Folder, counted: Path) -> None:
    """Reads the newest version again and again, as a server that starts; one that is gone meanwhile is no failure."""
    count = 0
    while not stop.exists():
        newest = versions(place.base)[-1]
        try:
            whole = place._is_whole(newest)
        except FileNotFoundError:
            if newest == versions(place.base)[-1]:
                counted.write_text(f"version {newest} lost a file", encoding="utf-8")
                os._exit(1)
            continue
        if not whole:
            counted.write_text(f"version {newest} is not whole", encoding="utf-8")
            os._exit(1)
        count += 1
    counted.write_text(str(count), encoding="utf-8")


def _no_room_from(step: int) -> Callable[[], None]:
    """Lets this process's disk be full from the given step of writing on."""
    written = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal written
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if opened or event in ("os.mkdir", "os.rename", "os.symlink"):
            written += 1
            if written >= step:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

    return lambda: sys.addaudithook(hook)


def _no_larger_files(random: Random) -> Callable[[], None]:
    size = random.randint(0, FILE_BYTES)
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
