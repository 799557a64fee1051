"""The reference as Markdown, a page of the documentation."""

import html
import re
from collections.abc import Iterator, Sequence

from janus_core.kinds import KINDS
from janus_core.metrics import Metric
from pipeline.config.keys import ANY, KEYS_OWN, Key

_MARKDOWN = re.compile(r"[\\*_\[\]{}|]")

_INTRODUCTION = """\
# Configuration reference

Every key that a configuration may have, made from the models that check it. `*` stands for a name of your own, such
as a task's, or for an index of a list. `janus explain KEY` prints the same in the terminal, `janus schema-of-config` a
JSON Schema for editors, and `--set KEY=VALUE` overrides a key for one run. A default of `null` means: not set.
"""

_METRICS = """\

## Metrics { #metrics }

What a task is measured by, for gates and in reports; bold: the metric to look at first. All are undefined without
labelled rows, and where a prediction is not finite. A class that no row has is left out of averages over classes.
"""


def reference_page(keys: Sequence[Key]) -> str:
    """The whole page: a chapter for each key of the first level, a table for each section."""
    lines = [_INTRODUCTION, "## The first level", "", *_table([key for key in keys if not key.parent], linked=True)]
    for top in dict.fromkeys(key.path for key in keys if not key.parent):
        sections = dict.fromkeys(key.parent for key in keys if key.parent.split(".")[0] == top)
        if sections:
            lines += ["", f"## {top} {{ #{anchor(top)} }}"]
        for section in sections:
            lines += _section(section, top, keys)
    return "\n".join(lines) + "\n"


def metrics_chapter() -> str:
    """A table of every metric, made from the catalogue of task kinds and metrics."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for kind in KINDS.values():
        for metric in kind.metrics:
            name = f"**`{kind.name}`**" if metric.name == kind.headline else f"`{kind.name}`"
            kinds.setdefault(_facts(metric), []).append(name)
    lines = [_METRICS, "| metric | kinds of tasks | better | unit | not defined where |", "|---|---|---|---|---|"]
    lines += [f"| `{name}` | {', '.join(of)} | {' | '.join(facts)} |" for (name, *facts), of in sorted(kinds.items())]
    return "\n".join(lines) + "\n"


def _facts(metric: Metric) -> tuple[str, ...]:
    better = {"high": "higher", "low": "lower", "zero": "nearer to 0", "nominal": "nearer to the quantiles' own share"}
    unit = {"label": "the label's", "classes": "classes", None: "0 to 1" if metric.share else ""}
    undefined = f"`quantiles` has fewer than {metric.levels} levels" if metric.levels else metric.undefined
    return metric.name, better[metric.better], unit[metric.unit], undefined


def anchor(path: str) -> str:
    """The heading's id of a section."""
    return path.replace(f".{ANY}", "-each").replace(".", "-")


def _section(path: str, top: str, keys: Sequence[Key]) -> Iterator[str]:
    here = [key for key in keys if key.parent == path]
    if path != top:
        yield ""
        yield f"### {_escaped(path)} {{ #{anchor(path)} }}"
    own = [key for key in keys if key.path == path]
    for text in dict.fromkeys(key.description for key in own if key.description):
        yield ""
        yield _escaped(text)
    variants = [variant for key in own for variant in key.variants]
    if variants:
        yield ""
        yield from (f"- `{variant.choice}`: {_escaped(variant.purpose)}" for variant in variants)
    yield ""
    yield from _table(here, linked=any(_has_below(key, keys) for key in here), keys=keys)


def _table(rows: Sequence[Key], linked: bool, keys: Sequence[Key] | None = None) -> Iterator[str]:
    with_kinds = any(key.kinds for key in rows)
    yield "| key |" + (" only with |" if with_kinds else "") + " type | default | |"
    yield "|---|" + ("---|" if with_kinds else "") + "---|---|---|"
    for key in rows:
        name = f"`{key.path}`"
        if linked and "section" in key.type and (keys is None or _has_below(key, keys)):
            name = f"[{name}](#{anchor(key.path)})"
        kinds = f" {', '.join(f'`{kind}`' for kind in key.kinds)} |" if with_kinds else ""
        yield (
            f"| {name} |{kinds} {_escaped(f'{key.type}: {key.allowed}' if key.allowed else key.type)} | "
            f"{_default(key)} | {_escaped(key.description)} |"
        )


def _has_below(key: Key, keys: Sequence[Key]) -> bool:
    return any(other.parent == key.path for other in keys)


def _default(key: Key) -> str:
    if key.name == ANY:
        return ""  # The entries of a mapping are neither required nor made by default.
    if key.default is None:
        return "required"
    return key.default if key.default == KEYS_OWN else f"`{key.default}`".replace("|", "\\|")


def _escaped(text: str) -> str:
    """Text in which nothing but code between backticks is Markdown."""
    parts = text.split("`")
    parts[0::2] = [html.escape(_MARKDOWN.sub(r"\\\g<0>", part), quote=False) for part in parts[0::2]]
    parts[1::2] = [part.replace("|", "\\|") for part in parts[1::2]]
    return "`".join(parts)
