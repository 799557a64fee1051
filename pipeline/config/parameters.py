"""Checks which keys of the configuration a run on Kubeflow may set, and names the inputs that set them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from janus_core.errors import ConfigError
from pipeline.config.keys import Key, find
from pipeline.config.tune import OPEN

OPEN_TO_RUNS = (*OPEN, "evaluation", "seed")
"""What a run may set: it leaves the data and the steps as they are."""

CLOSED_TO_RUNS = {
    "training.epochs": "it is the input `epochs` already",
    "training.warm_start": "it decides which steps there are",
    "training.distribution": "it decides what the Trainer's step needs",
}


def input_name(key: str) -> str:
    """The name of the compiled pipeline's input that sets a key: KFP takes letters, digits and underscores."""
    return re.sub(r"\W", "_", key)


def parameter_problems(parameters: Sequence[str], raw: Mapping[str, Any], keys: Sequence[Key]) -> Iterator[str]:
    """What is wrong with `kubeflow.parameters`, one sentence each.

    Args:
        parameters: the keys' full paths.
        raw: the whole configuration, as YAML gives it, which is valid.
        keys: all keys that there are.
    """
    names: dict[str, str] = {}
    for path in parameters:
        where = f"kubeflow.parameters: {path}"
        try:
            pattern = find(path, keys)[0].path
        except ConfigError as error:
            yield f"kubeflow.parameters: {error}"
            continue
        section, _, rest = path.partition(".")
        name = rest.partition(".")[0]
        if not any(pattern == key or pattern.startswith(f"{key}.") for key in OPEN_TO_RUNS):
            yield f"{where}: a run leaves the data and the steps as they are; it may set {', '.join(OPEN_TO_RUNS)}"
        elif pattern in CLOSED_TO_RUNS:
            yield f"{where}: a run cannot set this key: {CLOSED_TO_RUNS[pattern]}"
        elif section in ("tasks", "features") and name not in raw[section]:
            yield f"{where}: there is no '{name}' in {section}; there are {', '.join(raw[section])}"
        elif input_name(path) in names:
            yield f"{where}: its input would have the name of that of {names[input_name(path)]}; give one of them"
        names.setdefault(input_name(path), path)
