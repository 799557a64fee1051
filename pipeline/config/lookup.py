"""Finds the keys that a user asks for, by paths as in a file: `tasks.late.loss` is `tasks.*.loss`."""

import difflib
from collections.abc import Sequence

from janus_core.errors import ConfigError
from pipeline.config.keys import ANY, Key, children_of


def find(asked: str, keys: Sequence[Key]) -> list[Key]:
    """The keys of a path, several if its meaning depends on the section's kind.

    Args:
        asked: parts with dots between them; any name, or `*`, where the configuration has the user's own names.

    Raises:
        ConfigError: there is no such key; the message has the nearest one, and those that are there.
    """
    path = ""
    for part in asked.strip().split("."):
        here = {key.name for key in keys if key.parent == path}
        if part in here:
            chosen = part
        elif ANY in here and part:
            chosen = ANY
        else:
            raise ConfigError(_unknown(asked, path, part, keys))
        path = f"{path}.{chosen}".lstrip(".")
    return [key for key in keys if key.path == path]


def _unknown(asked: str, path: str, part: str, keys: Sequence[Key]) -> str:
    # A name of the user's own stays as it was typed.
    section = ".".join(asked.strip().split(".")[: path.count(".") + 1]) if path else ""
    allowed = list(dict.fromkeys(key.name for key in children_of(path, keys) if key.name != ANY))
    near = difflib.get_close_matches(part, allowed, n=1, cutoff=0.5)
    # A key's own name without its section: `learning_rate` is not meant to be `serving`.
    lone = not path and any(key.name == asked.strip() for key in keys)
    suggestion = _elsewhere(asked, keys) if lone or not near else f"{section}.{near[0]}".lstrip(".")
    hint = f" Did you mean '{suggestion}'?" if suggestion else ""
    if not allowed:
        return f"{asked}: unknown key.{hint} '{section}' is a value, it has no keys"
    where = f"Keys of '{section}'" if section else "Keys"
    return f"{asked}: unknown key.{hint} {where}: {', '.join(allowed)}"


def _elsewhere(asked: str, keys: Sequence[Key]) -> str:
    """A key of like name or path anywhere: people leave out the section, or the `*`."""
    last = asked.strip().rpartition(".")[2]
    paths = list(dict.fromkeys(key.path for key in keys))
    named = [path for path in paths if path.rpartition(".")[2] == last]
    near = difflib.get_close_matches(asked, named or paths, n=1, cutoff=0.0 if named else 0.6)
    return near[0] if near else ""
