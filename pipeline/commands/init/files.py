"""The two files that are proposed: the configuration as commented YAML, and the schema as .pbtxt."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from janus_core.kinds import KINDS
from janus_core.tables.column_kinds import Kind
from janus_core.tables.config import HashSplit, TimeSplit
from pipeline.commands.init.profile import Profile
from pipeline.commands.init.proposal import ColumnProposal, Proposal
from pipeline.commands.init.sample import Sample
from pipeline.commands.init.wording import counted, one_line, shown

_MOST_DROPPED = 100
_WIDEST_ENTRY = 60
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"})


def config_text(proposal: Proposal, schema: Path, command: str) -> str:
    """The configuration, each guess with its reason."""
    data, network = proposal.sample.data, proposal.network
    left_out = [column for column in proposal.columns if not column.used and not column.leaking]
    lines = [
        f"# Guessed from {one_line(data.path)} by `{one_line(command)}`: {proposal.sample.how}.",
        "# The reason for each guess is beside it: correct what you know better.",
        *(f"# Check this: {one_line(warning)}" for warning in proposal.warnings),
        f"name: {scalar(proposal.name)}",
        f"seed: {proposal.split.seed}",
        "",
        "data:",
        f"  path: {scalar(data.path)}",
        f"  format: {data.format}",
        *(f"  {key}: {scalar(getattr(data, key))}  # {one_line(why)}" for key, why in proposal.sample.reasons.items()),
        *_cells(proposal.sample),
        f"  # {one_line(proposal.split.reason)}",
        f"  split: {_split(proposal.split.split)}",
        "",
        f"schema: {scalar(str(schema))}",
        "",
        "features:",
        *_features(proposal.features),
        *_leaking(proposal.leaks),
        *_left_out(left_out),
        "",
        "tasks:",
        *_tasks(proposal),
        "",
        f"# {network.reason}",
        "model:",
        *_section(network.model),
        "",
        "training:",
        *_section(network.training),
        "",
        "evaluation:",
        "  gates:  # what guessing reaches: a model that is no better is not pushed",
        *_gates(proposal),
        "",
        f"push: {{path: {scalar(f'models/{proposal.name}')}, keep: 5}}",
    ]
    return "\n".join(lines) + "\n"


_COMMENTS = {
    "members": "networks in one, whose predictions are averaged",
    "epochs": "at most: early stopping ends the training, and the best epoch is kept",
    "min_steps": "more epochs, where these have fewer steps",
}


def _section(keys: Mapping[str, Any]) -> list[str]:
    """A line per key, with a comment where the key has one."""
    lines = [f"  {key}: {flow(value) if isinstance(value, Mapping) else scalar(value)}" for key, value in keys.items()]
    comments = [f"  # {_COMMENTS[key]}" if key in _COMMENTS else "" for key in keys]
    return [line + comment for line, comment in zip(lines, comments, strict=True)]


def scalar(value: Any) -> str:
    """A value as YAML reads it back: text in quotes unless it is plainly a word."""
    if isinstance(value, str):
        plain = value.isascii() and value.replace("_", "").replace("/", "").replace(".", "").replace("-", "").isalnum()
        word = plain and value[0].isalpha() and value.lower() not in _YAML_WORDS
        return value if word else _quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(scalar, value))}]"
    return str(value)


def _quoted(text: str) -> str:
    """In double quotes, with JSON's escapes, which are YAML's as well."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def flow(mapping: Mapping[str, Any]) -> str:
    """A mapping on one line."""
    return "{" + ", ".join(f"{scalar(key)}: {scalar(value)}" for key, value in mapping.items()) + "}"


def _cells(sample: Sample) -> list[str]:
    """How the cells of CSV are written, where it is not as Python writes them."""
    lines = []
    for key, marks, usual in (("decimal", sample.data.decimal, "."), ("thousands", sample.data.thousands, None)):
        if isinstance(marks, dict):
            own = ", ".join(f"{scalar(name)}: {_quoted(mark)}" for name, mark in marks.items())
            lines.append(f"  {key}: {{{own}}}")
        elif marks != usual:
            lines.append(f"  {key}: {_quoted(str(marks))}")
    words = sample.data.null_values
    if isinstance(words, list) and words:
        lines.append(f"  null_values: {_quoted_list(words)}  # among numbers; count as missing in every column")
    elif isinstance(words, dict):
        lines.append("  null_values:  # texts that count as missing in these columns")
        for name, texts in words.items():
            form = sample.forms.get(name)
            rows = {**form.words, **form.odd} if form else {}
            reason = ", ".join(f"{shown(word)} in {counted(rows[word])}" for word in texts[:5] if word in rows)
            lines.append(f"    {scalar(name)}: {_quoted_list(texts)}" + (f"  # {reason}" if reason else ""))
    return lines


def _quoted_list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _split(split: Any) -> str:
    if isinstance(split, TimeSplit):
        form = {"format": split.format} if split.format else {}
        start = split.eval_from
        whole = not isinstance(start, str) and float(start).is_integer()
        return flow({"by": "time", "column": split.column, **form, "eval_from": int(start) if whole else start})
    assert isinstance(split, HashSplit)
    return flow({"by": "hash", "eval_fraction": split.eval_fraction})


def _features(columns: Sequence[ColumnProposal], mark: str = "") -> list[str]:
    """An entry per column, after `mark`, and its reason in a comment; the comments are aligned."""
    entries = []
    for column in columns:
        name = {"column": column.column.name} if column.column.name != column.name else {}
        keys = {"kind": column.guess.kind, **name, **column.guess.options}
        entries.append(f"{mark}{scalar(column.name)}: {flow(keys)}")
    width = min(_WIDEST_ENTRY, max(map(len, entries)))
    return [
        f"  {entry:<{width}}  # {one_line(_reason(column))}" for entry, column in zip(entries, columns, strict=True)
    ]


def _reason(column: ColumnProposal) -> str:
    if column.best is None:
        return column.guess.reason
    target, score = column.best
    of_which = f" for {shown(target)}" if len(column.scores) > 1 else ""
    return f"{column.guess.reason}; alone {score}{of_which}{'; LEAKAGE?' if score.leaks else ''}"


def _leaking(columns: Sequence[ColumnProposal]) -> list[str]:
    if not columns:
        return []
    return [
        "  # Left out, since each alone nearly determines a target; if it is known in time, remove its first #:",
        *_features(columns, mark="# "),
    ]


def _left_out(columns: Sequence[ColumnProposal]) -> list[str]:
    if not columns:
        return []
    lines = ["  # Left out:"]
    lines += [f"  #   {shown(c.column.name, 80)}: {one_line(c.guess.reason)}" for c in columns[:_MOST_DROPPED]]
    if len(columns) > _MOST_DROPPED:
        lines.append(f"  #   and {len(columns) - _MOST_DROPPED:,} more")
    return lines


def _tasks(proposal: Proposal) -> list[str]:
    lines = []
    for task in proposal.tasks:
        lines += [f"  {scalar(task.name)}:", f"    # {one_line(task.reason)}", f"    kind: {task.kind}"]
        lines.append(f"    label: {scalar(task.label)}")
        for key, value in task.options.items():
            # YAML would make numbers and booleans of some classes; as text, they all stay what they are.
            lines.append(f"    {key}: {_quoted_list(value) if key == 'classes' else scalar(value)}")
    return lines


def _gates(proposal: Proposal) -> list[str]:
    lines = []
    for name, gates in proposal.gates.items():
        limits = ", ".join(f"{metric}: {flow(rules)}" for metric, rules in gates.limits.items())
        lines.append(f"    {scalar(name)}: {{{limits}}}  # {one_line(gates.reason)}")
    return lines


# --- the schema ---------------------------------------------------------------------------------------------------

_TYPES: dict[Kind | None, int] = {
    "int": schema_pb2.INT,
    "float": schema_pb2.FLOAT,
    "bytes": schema_pb2.BYTES,
    None: schema_pb2.BYTES,
}


def schema_text(proposal: Proposal) -> str:
    """The columns that the configuration names, as a TFDV schema; other columns are not used, and left out."""
    sample = proposal.sample
    parts, named = [], set()
    # Those that are left out for leaking may be taken in by hand.
    for feature in [*proposal.features, *proposal.leaks]:
        numeric = feature.guess.kind in ("numeric", "cyclical", "vector")
        kind: Kind | None = _kind(feature.column, sample, numeric)
        kind = "bytes" if feature.guess.as_text and sample.data.format == "csv" else kind
        parts.append(_feature(feature.column, kind, feature.guess.reason, sample))
        named.add(feature.column.name)
    for task in proposal.tasks:
        separated = "separator" in task.options
        kind = "bytes" if separated else _kind(task.column, sample, KINDS[task.kind].is_numeric)
        parts.append(
            _feature(task.column, kind, f"label of task {task.name}", sample, [] if separated else task.classes)
        )
        named.add(task.label)
    split = proposal.split.split
    if isinstance(split, TimeSplit) and split.column not in named:
        column = next(other.column for other in proposal.columns if other.column.name == split.column)
        parts.append(_feature(column, column.kind, "splits train from eval", sample))
    header = [
        f"# The columns of {one_line(sample.data.path)}, guessed from {sample.how}.",
        "# A feature with a shape is never missing; others have a value in at least min_fraction of the rows.",
    ]
    return "\n".join([*header, *parts]) + "\n"


def _kind(column: Profile, sample: Sample, numeric: bool) -> Kind | None:
    """As read; but whole numbers of CSV that was not read to its end may have fractions, or letters, further on."""
    if sample.data.format == "csv" and not sample.complete and column.kind == "int":
        return "float" if numeric else "bytes"
    return column.kind


def _feature(column: Profile, kind: Kind | None, reason: str, sample: Sample, classes: Sequence[str] = ()) -> str:
    schema = schema_pb2.Schema()
    feature = schema.feature.add(name=column.name, type=_TYPES[kind])
    feature.presence.min_count = 1
    if sample.complete and not column.missing and not column.listed:
        feature.presence.min_fraction = 1.0
        feature.shape.dim.add(size=1)
    elif column.missing < column.rows / 2:
        # Half of the sample's share: with fewer values, it is another table.
        feature.presence.min_fraction = round(0.5 * column.present / column.rows, 2)
    if classes and kind == "bytes":
        feature.string_domain.name = column.name
        feature.string_domain.value[:] = classes
    return f"# {one_line(reason)}\n" + text_format.MessageToString(schema, as_utf8=True).rstrip("\n")
