"""One push, from a model to a served version, and which versions stay after it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from components.pusher.layout import Location, join
from components.pusher.lock import Claim, exclusive
from components.pusher.state import Rollback, State, history, read_state, settle, withdrawal_of
from components.pusher.storage import content_digest, storage_of
from components.pusher.versions import publish, remove_leftovers, version_for
from janus_core.errors import JanusError
from janus_core.manifest import Manifest


@dataclass(frozen=True)
class Pushed:
    """The result of a push.

    Attributes:
        digest: the model's content digest.
        version: its version; None if it was not pushed.
        destination: that version's folder.
        withdrawal: the rollback because of which it was not pushed.
    """

    digest: str
    version: int | None = None
    destination: str | None = None
    withdrawal: Rollback | None = None


def push(
    model: Location,
    base: Location,
    keep: int,
    version: int = 0,
    labelled: Iterable[int] = (),
    claim: Claim | None = None,
    expected: Manifest | None = None,
) -> Pushed:
    """Publishes a model unless a rollback has withdrawn it, and removes old versions.

    Args:
        model: a SavedModel's folder.
        base: the folder of versions.
        keep: how many of the newest versions stay.
        version: the number to publish under if no higher one was used meanwhile; else, or if 0, a new one is chosen.
        labelled: versions that stay however old they are, as do those in the folder's own file of labels.
        claim: who pushes, as others that want to push see it; by default this process.
        expected: what the model's files must be.

    Raises:
        ServingError: a file is not as expected.
        JanusError: another push is under way, or the record of rollbacks or the labels cannot be read.
        OSError: the folder cannot be written; nothing is left behind.
    """
    digest = content_digest(model)
    with exclusive(base, claim or Claim()):
        settle(base)
        taken = remove_leftovers(base)
        withdrawal = withdrawal_of(history(base), model)
        if withdrawal is not None:
            return Pushed(digest, withdrawal=withdrawal)
        # Read first: an error in them must not come up after the push.
        labels = read_labels(base)
        if version <= taken:
            version = version_for(model, base, after=taken)
        destination = publish(model, base, version, expected=expected)
        retain(base, keep, {*labels.values(), *labelled})
    return Pushed(digest, version, destination)


LABELS_FILE = "labels.json"
"""In the folder of versions: label → version, as `{"stable": 1795602333}`."""


def read_labels(base: Location) -> dict[str, int]:
    """Label → version; empty if there is no such file.

    Raises:
        JanusError: the file holds anything else.
    """
    text = storage_of(base).read_text(base, LABELS_FILE)
    if text is None:
        return {}
    try:
        labels = json.loads(text)
    except json.JSONDecodeError as error:
        raise JanusError(f"{join(base, LABELS_FILE)} is no JSON: {error}") from error
    if not isinstance(labels, dict) or not all(type(version) is int for version in labels.values()):
        raise JanusError(f'{join(base, LABELS_FILE)} must map labels to version numbers, as {{"stable": 17}}')
    return labels


def protected(state: State, labelled: Iterable[int] = ()) -> set[int]:
    """The versions that stay however old they are: served, last pushed, target of a rollback, labelled."""
    kept = {state.served, state.last_pushed, state.rollback_target, *labelled}
    return set(state.versions) & kept


def retain(base: Location, keep: int, labelled: Iterable[int] = ()) -> list[int]:
    """Removes all but the newest `keep` versions and the protected ones, and returns those removed."""
    state = read_state(base)
    candidates = state.versions[:-keep]
    if not candidates:
        return []
    stay = protected(state, labelled)
    removed = [version for version in candidates if version not in stay]
    for version in removed:
        storage_of(base).remove(base, version)
    return removed
