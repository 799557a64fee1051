"""Secrets in a configuration, which would reach config.yaml, the model card, the report, ML Metadata and Kubeflow."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_WORDS = "password|passwd|pwd|passphrase|secret|token|connection_?string|(?:account|access|secret|api|private)_?key"
_NAME = rf"[\w-]*(?:{_WORDS})"
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_OPTION = re.compile(rf"--?({_NAME})(?:=(.*))?", re.IGNORECASE | re.DOTALL)
# A password may hold slashes, so that what follows the colon must not be a port.
_IN_URL = re.compile(r"\w://[^/?#\s@]*:(?!\d+/)[^?#\s]*@")
_IN_QUERY = re.compile(rf"(?:^|[?&;])({_NAME}|sig|[\w-]*signature)=[^&;\s]", re.IGNORECASE)
_VARIABLES = {
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "az": "AZURE_STORAGE_CONNECTION_STRING",
    "abfs": "AZURE_STORAGE_CONNECTION_STRING",
}
"""The beginning of an address or an option → the variables that the storage's clients read."""

PARAMETER = "--param"
"""The option by which `janus kubeflow submit` takes a parameter, which steps of the run read."""

_SECTIONS = ("data.path", "schema", "push.path", "beam", "kubeflow", "hooks")


def secret_problems(raw: Mapping[str, Any]) -> list[str]:
    """A line per secret in the paths and the arguments of an unvalidated configuration, which does not repeat it."""
    return [problem for section in _SECTIONS for problem in problems_at(section, _below(raw, section))]


def problems_at(place: str, value: Any) -> list[str]:
    """A line per secret in a value, which is named by its place."""
    return [
        f"{inside}: {what}, which a run would write into config.yaml and reports; {_remedy(inside, text)}"
        for inside, text, what in _found(place, value)
    ]


def _below(raw: Any, place: str) -> Any:
    for key in place.split("."):
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw


def _found(place: str, value: Any) -> Iterator[tuple[str, str, str]]:
    """The place of each secret, the text that holds it, and what it is."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            inside = f"{place}.{name}"
            # A text such as $(NAME) refers to another variable.
            if place.endswith(".env") and _SECRET_NAME.fullmatch(str(name)) and below and str(below)[0] != "$":
                yield inside, "", f"the variable {name} holds a secret"
            else:
                yield from _found(inside, below)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            option = _OPTION.fullmatch(item) if isinstance(item, str) else None
            following = value[index + 1] if index + 1 < len(value) else "-"
            given = option and (option[2] or (option[2] is None and not str(following).startswith("-")))
            if option and given:
                yield f"{place}.{index}", item, f"--{option[1]} holds a secret"
            else:
                yield from _found(f"{place}.{index}", item)
    elif isinstance(value, str):
        if _IN_URL.search(value):
            yield place, value, "the address holds a password (before its @)"
        if parameter := _IN_QUERY.search(value):
            yield place, value, f"{parameter[1]}=… is a secret"
        _, _, document = value.partition("={")
        if document:
            try:
                yield from _found(place, json.loads("{" + document))
            except ValueError:
                return


def _remedy(place: str, text: str) -> str:
    if place == "kubeflow.metadata":
        return "give the password by JANUS_MLMD_PASSWORD, from a secret, not in the configuration"
    if place.startswith(("kubeflow", PARAMETER)):
        return "let kubeflow.secrets set a variable of the steps from a Kubernetes secret"
    if place.startswith("hooks"):
        return "name the variable of the environment that holds it, by url_variable or token_variable"
    of_storage = (variables for start, variables in _VARIABLES.items() if text.lstrip("-").startswith(start))
    variables = next(of_storage, "the variable that its client reads, such as AWS_SECRET_ACCESS_KEY for S3,")
    where = "the environment of this process and of Beam's workers" if place.startswith("beam") else "the environment"
    return f"take it out and set {variables} in {where}"
