"""Takes the served model out of service by publishing a copy of an older version under a higher number."""

import getpass
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from components.pusher.identity import IDENTITY
from components.pusher.layout import Location, join
from components.pusher.lock import Claim, exclusive
from components.pusher.state import JOURNAL, Rollback, State, begin, read_state, settle
from components.pusher.storage import storage_of
from components.pusher.versions import new_version, publish, remove_leftovers, versions
from janus_core.errors import ConfigError, JanusError

CONTENT_DIGEST = "content_digest"
"""The property of a PushedModel that holds the model's content digest, whether it was pushed or not."""

WITHDRAWN_AT = "withdrawn_at"
"""The property of a PushedModel that was not pushed because a rollback had withdrawn it: the rollback's time."""


def roll_back(
    base: Location,
    check: Callable[[str], None],
    to: int | None = None,
    reason: str | None = None,
    force: bool = False,
    wait_seconds: float = 30.0,
) -> Rollback:
    """Publishes a copy of a version as the new served one, and withdraws the model that was served.

    If the process is killed before the copy appears, nothing has happened, and the next push or rollback removes the
    remains; if after, the rollback stands. Bringing a withdrawn model back in place of another rollback's copy
    withdraws nothing.

    Args:
        base: the folder of versions.
        check: is called with the version's folder, and raises if that model cannot be served.
        to: the version; by default the newest older one that holds another model and was not withdrawn.
        reason: is recorded.
        force: allows a version that was withdrawn, and lifts its withdrawal.
        wait_seconds: how long to wait for a push that is under way.

    Raises:
        ConfigError: there is no such version, or it must not be used.
        JanusError: there is no version to go back to, or another push is under way.
    """
    if not versions(base):
        raise ConfigError(f"there are no versions in {base} (push.path): `janus run CONFIG` pushes the first")
    with exclusive(base, Claim(f"rollback by process {os.getpid()}", wait_seconds)):
        settle(base)
        taken = remove_leftovers(base)
        state = read_state(base)
        target = _default_target(state) if to is None else _allowed(state, to, force)
        check(join(base, target))
        record = _record(state, target, new_version(base, after=taken), reason)
        publish(join(base, target), base, record.new_version, before_visible=lambda: begin(base, record))
        settle(base)
        return record.model_copy(update={"published": True})


def withdrawal_notice(base: Location, properties: Mapping[str, Any]) -> str | None:
    """Why a run did not push its model, if a rollback had withdrawn it; from the properties of its PushedModel."""
    time, digest, identity = (properties.get(name) for name in (WITHDRAWN_AT, CONTENT_DIGEST, IDENTITY))
    if not time:
        return None
    state = read_state(base)

    def is_this(version: int) -> bool:
        return state.digest(version) == digest or bool(identity) and state.identity(version) == identity

    version = next(filter(is_this, reversed(state.versions)), None)
    if version is not None:
        remedy = f"`janus rollback CONFIG --to {version} --force` brings it back"
    else:
        remedy = f"its version is no longer there; without the rollback's line in {join(base, JOURNAL)} it is pushed"
    return f"this model was withdrawn by a rollback at {time}: not pushed; {remedy}"


def _default_target(state: State) -> int:
    target = state.rollback_target
    if target is None:
        older = len(state.versions) - 1
        why = "it is the only one" if not older else "the older ones hold the same model, or were withdrawn"
        raise JanusError(
            f"nothing to roll back to from version {state.served} in {state.base}: {why}; "
            "`janus versions CONFIG` lists them"
        )
    return target


def _allowed(state: State, to: int, force: bool) -> int:
    if to not in state.versions:
        if to in storage_of(state.base).numbers(state.base):
            raise ConfigError(f"--to {to}: {join(state.base, to)} is not complete, it cannot be served")
        present = ", ".join(map(str, state.versions))
        raise ConfigError(f"--to {to}: there is no such version in {state.base}; there are {present}")
    assert state.served is not None
    if to == state.served:
        raise ConfigError(f"--to {to}: this version is served already")
    if state.same_model(to, state.served):
        raise ConfigError(f"--to {to}: its model is served already, as version {state.served}")
    withdrawal = state.withdrawal(to)
    if withdrawal is not None and not force:
        why = f" ({withdrawal.reason})" if withdrawal.reason else ""
        raise ConfigError(
            f"--to {to}: its model was withdrawn by the rollback of {withdrawal.time}{why}; --force brings it back"
        )
    return to


def _record(state: State, target: int, version: int, reason: str | None) -> Rollback:
    assert state.served is not None
    is_copy = any(record.new_version == state.served for record in state.rollbacks)
    undone = is_copy and state.withdrawal(target) is not None
    return Rollback(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        from_version=state.served,
        to_version=target,
        new_version=version,
        from_digest=state.digest(state.served),
        to_digest=state.digest(target),
        from_identity=state.identity(state.served),
        to_identity=state.identity(target),
        withdrawn=not undone,
        user=_user(),
        reason=reason,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container, the user may have no name.
        return str(os.getuid())
