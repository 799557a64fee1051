"""Which versions stay after a push."""

import json
from collections.abc import Iterable

from components.pusher.layout import Location, join
from components.pusher.state import State, read_state
from components.pusher.storage import storage_of
from janus_core.errors import JanusError

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
