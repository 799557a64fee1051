"""Which versions stay, over any history of pushes and rollbacks."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.pusher import local
from components.pusher.push import LABELS_FILE, protected, push, read_labels
from components.pusher.rollback import roll_back
from components.pusher.state import State, read_state
from components.pusher.versions import versions
from janus_core.errors import ConfigError, JanusError
from tests.components.pusher.models import accept, write_model

PUSHES = st.tuples(st.just("push"), st.integers(0, 4))
ROLLBACKS = st.tuples(st.just("rollback"), st.none())
ROLLBACKS_TO = st.tuples(st.just("rollback to"), st.integers(0, 20))
LABELS = st.tuples(st.just("label"), st.integers(0, 20))


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_the_disk() -> object:
    patched = pytest.MonkeyPatch()
    patched.setattr(local, "sync", lambda path: None)
    yield
    patched.undo()


@given(
    history=st.lists(st.one_of(PUSHES, PUSHES, ROLLBACKS, ROLLBACKS_TO, LABELS), max_size=14),
    keep=st.integers(1, 4),
)
@settings(max_examples=100, deadline=None)
@pytest.mark.slow
def test_what_must_stay_stays(history: list[tuple[str, int | None]], keep: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, base = Path(name), Path(name) / "serving"
        highest = 0
        for action, argument in history:
            before = read_state(base)
            # Digests are computed when they are asked for: later, the files may be gone.
            for version in before.versions:
                before.digest(version)
                before.identity(version)
            if action == "push":
                _push_and_check(folder, base, f"model{argument}", keep, before)
            elif action == "label" and before.versions:
                assert argument is not None
                labelled = before.versions[argument % len(before.versions)]
                (base / LABELS_FILE).write_text(f'{{"stable": {labelled}}}')
            elif action.startswith("rollback"):
                _roll_back_and_check(base, action == "rollback to", argument, before)
            served = read_state(base).served
            assert served is None or served >= highest, "numbers only grow"
            highest = served or 0


def _push_and_check(folder: Path, base: Path, content: str, keep: int, before: State) -> None:
    done = push(write_model(folder / "models", content), base, keep)
    after = read_state(base)
    assert after.served is not None
    if done.withdrawal:
        assert after.versions == before.versions
        return
    assert (base / str(after.served) / "saved_model.pb").read_text() == content
    assert after.last_pushed is not None or after.served == before.served, "a rollback's copy may hold this very model"
    stay = protected(after, read_labels(base).values())
    assert len(after.versions) <= keep + len(stay)
    # The newest `keep` of all that there were, and whatever is protected.
    candidates = sorted({*before.versions, after.served})
    assert set(candidates[-keep:]) | stay == set(after.versions)
    if before.served is not None and before.digest(before.served) != after.digest(after.served):
        assert after.rollback_target == before.served, "what was served until now is there to go back to"
    if before.rollback_target is not None:
        assert after.rollback_target is not None


def _roll_back_and_check(base: Path, named: bool, argument: int | None, before: State) -> None:
    target = before.versions[(argument or 0) % len(before.versions)] if named and before.versions else None
    possible = before.rollback_target is not None
    if target is None and possible:
        done = roll_back(base, accept)
        assert done.to_version == before.rollback_target
    else:
        with suppress(ConfigError) if named else pytest.raises(JanusError):
            roll_back(base, accept, to=target, force=True)
    after = versions(base)
    assert set(before.versions) <= set(after), "a rollback removes nothing"
    if after:
        assert read_state(base).withdrawal(after[-1]) is None, "what is served is never a withdrawn model"


def test_what_has_a_label_stays(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    first = push(write_model(tmp_path, "one"), base, keep=1).version
    (base / LABELS_FILE).write_text(f'{{"stable": {first}, "gone": 3}}')
    numbers = [push(write_model(tmp_path, content), base, keep=1).version for content in ("two", "three", "four")]
    assert versions(base) == [first, *numbers[1:]]


def test_what_the_configuration_labels_stays(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    first = push(write_model(tmp_path, "one"), base, keep=1).version or 0
    for content in ("two", "three", "four"):
        push(write_model(tmp_path, content), base, keep=1, labelled=[first, 3])
    assert versions(base)[0] == first
    assert len(versions(base)) == 3


@pytest.mark.parametrize("text", ["nothing", "[1]", '{"stable": "1"}', '{"stable": true}'])
def test_labels_that_cannot_be_read_stop_the_push(tmp_path: Path, text: str) -> None:
    base = tmp_path / "serving"
    push(write_model(tmp_path, "one"), base, keep=1)
    (base / LABELS_FILE).write_text(text)
    with pytest.raises(JanusError, match=r"labels\.json"):
        push(write_model(tmp_path, "two"), base, keep=1)
    assert len(versions(base)) == 1


def test_labels_that_are_not_utf_8_are_named(tmp_path: Path) -> None:
    (tmp_path / LABELS_FILE).write_bytes(b'{"\xe9": 1}')
    with pytest.raises(ConfigError, match=r"labels\.json is not UTF-8 \(byte 0xe9 at 2\)"):
        read_labels(tmp_path)
