"""What of Dockerfiles and .dockerignore the image uses, read as Docker reads it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction: `RUN`, and what stands after it."""

    name: str
    text: str


@dataclass
class Stage:
    """What follows a FROM."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all_of(self, name: str) -> list[str]:
        """The texts of the instructions of this name."""
        return [instruction.text for instruction in self.instructions if instruction.name == name]


def read_stages(path: Path) -> list[Stage]:
    """The stages in their order; an ARG before the first has its default, where it is used.

    Raises:
        ValueError: an instruction is there that the tests would not carry out.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    for line in filter(str.strip, joined.splitlines()):
        name, _, text = line.strip().partition(" ")
        if name == "FROM":
            base, _, stage = text.partition(" AS ")
            stages.append(Stage(substitute(base.strip(), arguments), stage.strip()))
        elif name == "ARG" and not stages:
            key, _, default = text.partition("=")
            arguments[key] = default
        elif name in ("RUN", "COPY", "WORKDIR", "ENV", "ARG", "USER"):
            stages[-1].instructions.append(Instruction(name, text.strip()))
        else:
            raise ValueError(f"{path.name}: {name} is not known to the tests")
    return stages


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Replaces $NAME and ${NAME}; what is not set is empty, as in Docker."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: variables.get(match[1] or match[2], ""), text)


def flags(text: str) -> tuple[list[str], str]:
    """The `--name=value` in front of an instruction's text, and the rest."""
    found = re.match(r"((?:--\S+\s+)*)(.*)", text, re.DOTALL)
    assert found is not None
    return found[1].split(), found[2]


def ignored(name: str, patterns: Sequence[str]) -> bool:
    """Whether .dockerignore keeps a file out of the build; `name` is relative to the context. The last match counts."""
    out = False
    parents = [name, *(parent.as_posix() for parent in Path(name).parents)]
    for pattern in patterns:
        regex = _regex(pattern.removeprefix("!"))
        if any(regex.fullmatch(parent) for parent in parents if parent != "."):
            out = not pattern.startswith("!")
    return out


def read_patterns(path: Path) -> list[str]:
    """The patterns of a .dockerignore."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line.rstrip("/") for line in lines if line and not line.startswith("#")]


def _regex(pattern: str) -> re.Pattern[str]:
    parts = {r"\*\*/": "(?:.*/)?", r"\*\*": ".*", r"\*": "[^/]*", r"\?": "[^/]", r"\[": "[", r"\]": "]", r"\-": "-"}
    return re.compile(
        re.sub(r"\\\*\\\*/|\\\*\\\*|\\\*|\\\?|\\\[|\\\]|\\-", lambda match: parts[match[0]], re.escape(pattern))
    )
