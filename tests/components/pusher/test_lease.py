"""The lease of a folder of versions: between machines, whose places here are taken by host names."""

import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from components.pusher import lock
from components.pusher.layout import Location
from components.pusher.local import read_text, text_names
from components.pusher.lock import CLOCK_SKEW_SECONDS, PREFIX, Claim, Ticket, exclusive, leased
from components.pusher.storage import storage_of
from janus_core.errors import ConfigError, JanusError

SECONDS = 100.0


@pytest.fixture(params=["local", "url"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return tmp_path
    place = f"ram://lease-{uuid.uuid4().hex}"
    storage_of(place).write_text(place, "labels", "{}")
    return place


@pytest.fixture
def on_host(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setattr(lock, "POLL_SECONDS", (0.01, 0.05))
    return lambda name: monkeypatch.setattr(socket, "gethostname", lambda: name)


def _tickets(base: Location) -> list[str]:
    return storage_of(base).text_names(str(base), PREFIX)


def _killed(base: Location, holder: str, host: str) -> None:
    """Leaves the ticket of one who never came to take it back."""
    ticket = Ticket(holder, host, time.time() + SECONDS)
    storage_of(base).write_text(str(base), f"{PREFIX}dead", json.dumps(asdict(ticket)))


def test_the_loser_fails_and_names_the_holder(base: Location, on_host: Callable[[str], None]) -> None:
    on_host("pod-a")
    with leased(base, "run 1", SECONDS, 0.0):
        (held,) = _tickets(base)
        on_host("pod-b")
        with pytest.raises(JanusError, match="another push or rollback into .* under way .run 1 on pod-a"):
            leased(base, "run 2", SECONDS, 0.2).__enter__()
        assert _tickets(base) == [held]
    assert _tickets(base) == []


def test_the_loser_waits_for_its_turn(base: Location, on_host: Callable[[str], None]) -> None:
    on_host("pod-a")
    holder = leased(base, "run 1", SECONDS, 0.0)
    holder.__enter__()
    timer = threading.Timer(0.5, holder.__exit__, (None, None, None))
    timer.start()
    on_host("pod-b")
    begun = time.monotonic()
    with leased(base, "run 2", SECONDS, 30.0):
        assert time.monotonic() - begun > 0.4
    timer.join()


def test_many_contenders_never_hold_it_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "POLL_SECONDS", (0.001, 0.03))
    names = threading.local()
    monkeypatch.setattr(socket, "gethostname", lambda: names.host)
    inside: list[str] = []
    most: list[int] = []

    def contend(host: str) -> None:
        names.host = host
        for _ in range(3):
            with leased(tmp_path, f"run {host}", SECONDS, 60.0):
                inside.append(host)
                most.append(len(inside))
                time.sleep(0.002)
                inside.remove(host)

    threads = [threading.Thread(target=contend, args=(f"pod-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 12


def test_a_step_that_is_tried_again_takes_its_own_lease(base: Location, on_host: Callable[[str], None]) -> None:
    _killed(base, "run 1", "pod-a")
    on_host("pod-a-retry")
    with leased(base, "run 1", SECONDS, 0.0):
        assert f"{PREFIX}dead" not in _tickets(base)


def test_a_machine_that_comes_back_takes_its_own_lease(tmp_path: Path, on_host: Callable[[str], None]) -> None:
    _killed(tmp_path, "run 1", "workstation")
    on_host("workstation")
    with exclusive(tmp_path, Claim("run 2", wait_seconds=0.0)):
        assert f"{PREFIX}dead" not in _tickets(tmp_path)


def test_the_dead_are_not_waited_for(
    base: Location, on_host: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    _killed(base, "run 1", "pod-a")
    on_host("pod-b")
    now = time.time()
    # Within what the clocks may differ by, it may live.
    monkeypatch.setattr(time, "time", lambda: now + SECONDS + CLOCK_SKEW_SECONDS - 5)
    with pytest.raises(JanusError, match="counts as dead in"):
        leased(base, "run 2", SECONDS, 0.0).__enter__()
    monkeypatch.setattr(time, "time", lambda: now + SECONDS + CLOCK_SKEW_SECONDS + 5)
    with leased(base, "run 2", SECONDS, 0.0):
        assert f"{PREFIX}dead" not in _tickets(base)


def test_what_is_no_ticket_is_told(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}x").write_text("{", encoding="utf-8")
    with pytest.raises(JanusError, match=rf"{PREFIX}x is no ticket of a push"):
        leased(tmp_path, "run 1", SECONDS, 0.0).__enter__()
    assert text_names(str(tmp_path), PREFIX) == [f"{PREFIX}x"]


def test_a_ticket_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}x").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=rf"{PREFIX}x is not UTF-8"):
        leased(tmp_path, "run 1", SECONDS, 0.0).__enter__()


def test_a_failure_inside_gives_it_back(tmp_path: Path) -> None:
    def push() -> None:
        with leased(tmp_path, "run 1", SECONDS, 0.0):
            (name,) = text_names(str(tmp_path), PREFIX)
            assert json.loads(read_text(str(tmp_path), name) or "")["holder"] == "run 1"
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        push()
    assert text_names(str(tmp_path), PREFIX) == []


def _lock_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the lock files of URLs are, in a folder for temporary files that everybody can write."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"janus-locks-{os.getuid()}"


def test_a_url_is_locked_in_a_folder_of_this_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = _lock_folder(monkeypatch, tmp_path)
    for _ in range(2):
        with exclusive("ram://private", Claim()):
            assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("made", ["link", "open to others", "file", "another user's"])
def test_a_lock_folder_that_somebody_else_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: str) -> None:
    folder = _lock_folder(monkeypatch, tmp_path)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    if made == "link":
        folder.symlink_to(other)
    elif made == "file":
        folder.write_text("", encoding="utf-8")
    else:
        folder.mkdir()
        folder.chmod(0o777 if made == "open to others" else 0o700)
    if made == "another user's":
        uid = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: uid + 1)
        folder.rename(tmp_path / f"janus-locks-{uid + 1}")
    with pytest.raises(JanusError, match="remove it, or set TMPDIR"), exclusive("ram://private", Claim()):
        pass
    assert list(other.iterdir()) == []


def test_a_lock_file_that_is_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("content", encoding="utf-8")
    base = tmp_path / "versions"
    base.mkdir()
    (base / lock.LOCK_FILE).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"), exclusive(base, Claim()):
        pass
    assert victim.read_text(encoding="utf-8") == "content"
