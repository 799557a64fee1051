"""Rollbacks: where they go to, what they withdraw, what they refuse; and what a kill at any moment leaves."""

import fcntl
import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.pusher.lock import LOCK_FILE
from components.pusher.push import push
from components.pusher.rollback import roll_back
from components.pusher.state import JOURNAL, history, origin, read_state
from components.pusher.versions import versions
from janus_core.errors import ConfigError, JanusError
from tests.components.pusher.models import accept, write_model

KILLED = 77


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "serving"


@pytest.fixture
def pushed(tmp_path: Path, base: Path) -> Callable[[str], int]:
    """Pushes a model of this content, and returns its version; 0 if it was withdrawn."""
    return lambda content: push(write_model(tmp_path / "models", content), base, keep=10).version or 0


def served(base: Path) -> str:
    return (base / str(versions(base)[-1]) / "saved_model.pb").read_text()


def test_the_older_version_is_served_again_under_a_new_number(base: Path, pushed: Callable[[str], int]) -> None:
    one, two = pushed("one"), pushed("two")
    checked: list[str] = []
    done = roll_back(base, checked.append, reason="wrong prices")
    assert checked == [f"{base}/{one}"]
    assert versions(base) == [one, two, done.new_version]
    assert served(base) == "one"
    (line,) = (base / JOURNAL).read_text().splitlines()
    record = json.loads(line)
    assert (record["from"], record["to"], record["new_version"]) == (two, one, done.new_version)
    assert (record["reason"], record["withdrawn"], record["published"]) == ("wrong prices", True, True)
    assert record["from_digest"] == read_state(base).digest(two)
    assert {path.name for path in base.iterdir()} == {*map(str, versions(base)), JOURNAL, LOCK_FILE}


def test_another_rollback_goes_further_back(base: Path, pushed: Callable[[str], int]) -> None:
    one, two, three = pushed("one"), pushed("two"), pushed("three")
    first = roll_back(base, accept)
    second = roll_back(base, accept)
    assert (first.to_version, second.to_version) == (two, one)
    assert served(base) == "one"
    state = read_state(base)
    withdrawn = [version for version in state.versions if state.withdrawal(version)]
    assert withdrawn == [two, three, first.new_version]
    with pytest.raises(JanusError, match="the same model, or were withdrawn"):
        roll_back(base, accept)


def test_after_a_rollback_the_next_one_skips_what_was_withdrawn(base: Path, pushed: Callable[[str], int]) -> None:
    pushed("one")
    pushed("two")
    first = roll_back(base, accept)
    pushed("three")
    second = roll_back(base, accept)
    assert second.to_version == first.new_version
    assert origin(history(base), second.new_version) == first.to_version
    assert served(base) == "one"


def test_a_version_may_be_named(base: Path, pushed: Callable[[str], int]) -> None:
    one = pushed("one")
    pushed("two")
    pushed("three")
    assert roll_back(base, accept, to=one).to_version == one
    assert served(base) == "one"


def test_bringing_back_withdraws_nothing_that_a_rollback_chose(base: Path, pushed: Callable[[str], int]) -> None:
    one, two = pushed("one"), pushed("two")
    roll_back(base, accept)
    done = roll_back(base, accept, to=two, force=True)
    assert served(base) == "two"
    assert not done.withdrawn
    state = read_state(base)
    assert [version for version in state.versions if state.withdrawal(version)] == []
    assert pushed("two") == done.new_version
    # The older one is still there to go to.
    assert roll_back(base, accept).to_digest == state.digest(one)


def test_bringing_back_in_place_of_a_pushed_model_withdraws_that_one(base: Path, pushed: Callable[[str], int]) -> None:
    pushed("one")
    two = pushed("two")
    roll_back(base, accept)
    pushed("three")
    assert roll_back(base, accept, to=two, force=True).withdrawn
    assert pushed("three") == 0
    assert pushed("two") == versions(base)[-1]


def test_what_cannot_be_is_refused(base: Path, pushed: Callable[[str], int], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no versions in .*nowhere"):
        roll_back(tmp_path / "nowhere", accept)
    assert not (tmp_path / "nowhere").exists()
    one = pushed("one")
    with pytest.raises(JanusError, match="the only one"):
        roll_back(base, accept)
    two = pushed("two")
    with pytest.raises(ConfigError, match=f"no such version .* there are {one}, {two}"):
        roll_back(base, accept, to=5)
    with pytest.raises(ConfigError, match="served already"):
        roll_back(base, accept, to=two)
    (base / "7").mkdir()
    with pytest.raises(ConfigError, match="not complete"):
        roll_back(base, accept, to=7)
    roll_back(base, accept, reason="wrong prices")
    with pytest.raises(ConfigError, match=r"withdrawn by the rollback of .* \(wrong prices\); --force"):
        roll_back(base, accept, to=two)
    with pytest.raises(ConfigError, match="its model is served already, as version"):
        roll_back(base, accept, to=one)
    assert len(history(base)) == 1


def test_a_model_that_does_not_load_is_not_gone_to(base: Path, pushed: Callable[[str], int]) -> None:
    one, two = pushed("one"), pushed("two")

    def refuse(path: str) -> None:
        raise JanusError(f"{path} does not load")

    with pytest.raises(JanusError, match=f"{one} does not load"):
        roll_back(base, refuse)
    assert versions(base) == [one, two]
    assert history(base) == []


def test_a_damaged_record_is_named_and_nothing_is_pushed(base: Path, pushed: Callable[[str], int]) -> None:
    one = pushed("one")
    (base / JOURNAL).write_bytes(b"\xff\n")
    with pytest.raises(ConfigError, match=rf"{JOURNAL} is not UTF-8"):
        history(base)
    (base / JOURNAL).write_text("{}\n")
    with pytest.raises(JanusError, match=r"\.rollbacks\.jsonl, line 1"):
        pushed("two")
    assert versions(base) == [one]


def test_a_push_that_is_under_way_is_waited_for_then_told(base: Path, pushed: Callable[[str], int]) -> None:
    pushed("one")
    pushed("two")
    with (base / LOCK_FILE).open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(JanusError, match=f"under way .process {os.getpid()}."):
            roll_back(base, accept, wait_seconds=0.2)
    assert roll_back(base, accept, wait_seconds=0.2).to_version == versions(base)[0]


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_nothing_or_a_rollback(tmp_path: Path) -> None:
    """Kills a rollback before each of its steps on the disk in turn, until one comes to its end."""
    seen, step = set(), 0
    while True:
        base = tmp_path / str(step) / "serving"
        for content in ("one", "two"):
            assert push(write_model(tmp_path / "models", content), base, keep=10).version
        code = _in_child(lambda: roll_back(base, accept), base, step)  # noqa: B023 - it runs at once
        assert code in (0, KILLED)
        stands = len(versions(base)) == 3
        seen.add(stands)
        # What readers see, before anything is cleaned up.
        assert served(base) == ("one" if stands else "two")
        assert len(history(base)) == int(stands)
        assert bool(read_state(base).withdrawal(versions(base)[1])) == stands
        # What the next push makes of it.
        again = push(tmp_path / "models" / "two", base, keep=10)
        assert bool(again.withdrawal) == stands
        assert [record.published for record in history(base)] == [True] * int(stands)
        assert {path.name for path in base.iterdir()} <= {*map(str, versions(base)), JOURNAL, LOCK_FILE}
        if not stands:
            roll_back(base, accept)
        assert served(base) == "one"
        if code == 0:
            break
        step += 1
    assert seen == {True, False}
    assert step > 10


@pytest.mark.slow
def test_a_kill_during_a_push_leaves_nothing_or_a_version(tmp_path: Path) -> None:
    step = 0
    while True:
        base = tmp_path / str(step) / "serving"
        one, two = (write_model(tmp_path / "models", content) for content in ("one", "two"))
        push(one, base, keep=1)
        code = _in_child(lambda: push(two, base, keep=1), base, step)  # noqa: B023 - it runs at once
        assert code in (0, KILLED)
        assert served(base) in ("one", "two")
        assert push(two, base, keep=1).version == versions(base)[-1]
        assert served(base) == "two"
        assert {path.name for path in base.iterdir()} == {*map(str, versions(base)), LOCK_FILE}
        if code == 0:
            break
        step += 1
    assert step > 10


_STEPS = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove"}


def _in_child(work: Callable[[], Any], folder: Path, step: int) -> int:
    """Does it in a process that dies before its `step`th access to the folder; returns the exit code."""

    def child() -> None:
        left = [step]

        def die(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _STEPS and str(folder) in str(arguments[0]):
                if left[0] == 0:
                    os._exit(KILLED)
                left[0] -= 1

        sys.addaudithook(die)
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode
