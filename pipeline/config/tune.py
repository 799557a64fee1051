"""Checks what a `tune` section tries, before anything runs."""

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from janus_core.errors import ConfigError
from pipeline.config.keys import Key, find
from trainer.config.tune import RangeConfig, TuneConfig, set_value

OPEN = (
    "model",
    "training",
    "tasks.*.loss",
    "tasks.*.loss_weight",
    "tasks.*.gamma",
    "tasks.*.class_weights",
    "features.*.embed",
    "features.*.encoding",
)
"""What may be tried: it changes the network and its training, and nothing that a trial is judged by."""

CLOSED = {
    "training.validation_fraction": "it decides on which rows the trials are compared",
    "training.validation": "it decides on which rows the trials are compared",
    "training.warm_start": "trials start from scratch",
    "training.distribution": "trials run in one process each",
}
EPOCHS = ("training.epochs", "training.min_steps")


def tune_problems(
    tune: TuneConfig, raw: Mapping[str, Any], keys: Sequence[Key], problems_of: Callable[[Any], list[str]]
) -> Iterator[str]:
    """What is wrong with a `tune` section, one sentence each that begins with the key's full path.

    Args:
        tune: the section.
        raw: the whole configuration, as YAML gives it, which is valid.
        keys: all keys that there are.
        problems_of: gives what is wrong with another such configuration.
    """
    wrong = list(_key_problems(tune, raw, keys))
    # Of values that are wrong by themselves, pairs need not be tried.
    yield from (
        wrong
        or _problems_of_values(tune.space, raw, problems_of, 1)
        or _problems_of_values(tune.space, raw, problems_of, 2)
    )


def _key_problems(tune: TuneConfig, raw: Mapping[str, Any], keys: Sequence[Key]) -> Iterator[str]:
    for path, range_ in tune.space.items():
        where = f"tune.space.{path}"
        try:
            found = find(path, keys)
        except ConfigError as error:
            yield f"tune.space.{error}"
            continue
        pattern, (section, _, rest) = found[0].path, path.partition(".")
        name = rest.partition(".")[0]
        inside = next((other for other in tune.space if path.startswith(f"{other}.")), None)
        if not any(pattern == key or pattern.startswith(f"{key}.") for key in OPEN):
            yield (
                f"{where}: a tuning leaves the data, the split, the features' meaning and the evaluation as they are; "
                f"it may try {', '.join(OPEN)}"
            )
        elif pattern in CLOSED:
            yield f"{where}: this key cannot be tuned: {CLOSED[pattern]}"
        elif section in ("tasks", "features") and name not in raw[section]:
            yield f"{where}: there is no '{name}' in {section}; there are {', '.join(raw[section])}"
        elif found[0].name == "kind":
            yield f"{where}: the kind decides which other keys there are: give {found[0].parent} whole as `choices`"
        elif inside:
            yield f"{where}: {inside}, which it is in, is tuned as well; give one of them"
        elif tune.search == "hyperband" and pattern in EPOCHS:
            yield f"{where}: hyperband itself decides how many epochs a trial trains"
        elif range_.choices is None and not any("number" in key.type and "list" not in key.type for key in found):
            yield f"{where}: this key is a {found[0].type}, which has no range: give `choices`"
        elif range_.choices is None and not range_.whole and all(key.type == "whole number" for key in found):
            yield f"{where}: expected whole numbers, got {range_.min} and {range_.max}"


def _problems_of_values(
    space: Mapping[str, RangeConfig], raw: Mapping[str, Any], problems_of: Callable[[Any], list[str]], count: int
) -> list[str]:
    """What is wrong with `count` keys that have an end of their range each, or one of their choices."""
    problems: dict[str, None] = {}
    for paths in itertools.combinations(space, count):
        for values in itertools.product(*(space[path].ends() for path in paths)):
            changed = copy.deepcopy(dict(raw))
            changed.pop("tune", None)
            for path, value in zip(paths, values, strict=True):
                set_value(changed, path, value)
            given = " with ".join(f"{path}: {value}" for path, value in zip(paths, values, strict=True))
            problems.update(dict.fromkeys(f"tune.space: {given} is not valid: {text}" for text in problems_of(changed)))
    return list(problems)
