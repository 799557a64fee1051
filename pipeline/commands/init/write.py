"""The configuration as commented YAML, and the schema as .pbtxt."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from janus_core.errors import ConfigError
from janus_core.files import write_texts
from janus_core.kinds import KINDS
from janus_core.tables.config import HashSplit, TimeSplit
from pipeline.commands.init.columns import Profile, counted, shown
from pipeline.commands.init.plan import ColumnPlan, Plan, words
from pipeline.commands.init.read import Sample

_MOST_DROPPED = 100
_WIDEST_ENTRY = 60
_TYPES = {"int": schema_pb2.INT, "float": schema_pb2.FLOAT, "bytes": schema_pb2.BYTES}


def write_both(texts: Mapping[Path, str]) -> None:
    """Writes all files or none; each is whole when it appears.

    Raises:
        ConfigError: a file cannot be written.
    """
    try:
        write_texts(texts)
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be written: {error.strerror}") from error


# --- YAML -------------------------------------------------------------------------------------------------------


def config_text(plan: Plan, schema: Path, command: str) -> str:
    """The configuration, each guess with its reason.

    Args:
        plan: what is proposed.
        schema: the schema's path, as the configuration names it.
        command: what wrote it, for the first line.
    """
    data = plan.sample.data
    lines = [
        f"# Guessed from {_comment(data.path)} by `{_comment(command)}`: {plan.sample.how}.",
        "# Every guess has its reason beside it: correct what you know better.",
        *(f"# Look at this: {_comment(warning)}" for warning in plan.warnings),
        f"name: {scalar(plan.name)}",
        f"seed: {plan.division.seed}",
        "",
        "data:",
        f"  path: {scalar(data.path)}",
        f"  format: {data.format}",
        *(f"  {key}: {scalar(getattr(data, key))}  # {_comment(why)}" for key, why in plan.sample.reasons.items()),
        *_cells(plan.sample),
        f"  # {_comment(plan.division.reason)}",
        f"  split: {_split(plan)}",
        "",
        f"schema: {scalar(str(schema))}",
        "",
        "features:",
        *_aligned([(f"{scalar(c.name)}: {flow(_feature(c))}", _reason(c)) for c in plan.features]),
        *_leaking(plan.leaks),
        *_dropped([column for column in plan.columns if not column.used and not column.leaking]),
        "",
        "tasks:",
        *_tasks(plan),
        "",
        f"# {plan.sizes.reason}",
        "model:",
        f"  trunk: {{kind: shared_bottom, units: {plan.sizes.units}, dropout: {plan.sizes.dropout}}}",
        f"  towers: {{default: {plan.sizes.tower}}}",
        "",
        "training:",
        f"  epochs: {plan.sizes.epochs}  # at most: early stopping ends it, the best epoch is kept",
        f"  batch_size: {plan.sizes.batch_size}",
        f"  learning_rate: {plan.sizes.learning_rate}",
        f"  early_stopping: {{patience: {plan.sizes.patience}}}",
        f"  validation_fraction: {plan.sizes.validation_fraction}",
        "",
        "evaluation:",
        "  gates:  # what guessing reaches: a model that is no better is not pushed",
        *_gates(plan),
        "",
        f"push: {{path: {scalar(f'models/{plan.name}')}, keep: 5}}",
    ]
    return "\n".join(lines) + "\n"


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


_YAML_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"})


def flow(mapping: Mapping[str, Any]) -> str:
    """A mapping on one line."""
    return "{" + ", ".join(f"{scalar(key)}: {scalar(value)}" for key, value in mapping.items()) + "}"


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _cells(sample: Sample) -> list[str]:
    """How the cells of CSV are written, where it is not as Python writes them."""
    lines = []
    for key, marks, usual in (("decimal", sample.data.decimal, "."), ("thousands", sample.data.thousands, None)):
        if marks != usual:
            own = {_key(name): _quoted(mark) for name, mark in marks.items()} if isinstance(marks, dict) else {}
            value = (
                "{" + ", ".join(f"{name}: {mark}" for name, mark in own.items()) + "}" if own else _quoted(str(marks))
            )
            lines.append(f"  {key}: {value}")
    words = sample.data.null_values
    if isinstance(words, list) and words:
        lines.append(
            f"  null_values: [{', '.join(map(_quoted, words))}]  # among numbers; count as missing in every column"
        )
    elif isinstance(words, dict):
        lines.append("  null_values:  # texts that count as missing in these columns")
        for name, listed in words.items():
            how = sample.written.get(name)
            rows = {**how.words, **how.odd} if how else {}
            reason = ", ".join(f"{shown(word)} in {counted(rows[word])}" for word in listed[:5] if word in rows)
            lines.append(f"    {_key(name)}: [{', '.join(map(_quoted, listed))}]" + (f"  # {reason}" if reason else ""))
    return lines


def _key(name: str) -> str:
    """A column's name as a key of a mapping."""
    return str(scalar(name))


def _split(plan: Plan) -> str:
    split = plan.division.split
    if isinstance(split, TimeSplit):
        form = {"format": split.format} if split.format else {}
        return flow({"by": "time", "column": split.column, **form, "eval_from": _quoted_time(split)})
    assert isinstance(split, HashSplit)
    return flow({"by": "hash", "eval_fraction": split.eval_fraction})


def _quoted_time(split: TimeSplit) -> Any:
    number = split.eval_from
    return number if isinstance(number, str) else int(number) if float(number).is_integer() else number


def _feature(plan: ColumnPlan) -> dict[str, Any]:
    column = {"column": plan.column.name} if plan.column.name != plan.name else {}
    return {"kind": plan.guess.kind, **column, **plan.guess.options}


def _reason(plan: ColumnPlan) -> str:
    best = max(plan.scores.items(), key=lambda item: item[1].strength, default=None)
    if best is None:
        return plan.guess.reason
    target, score = best
    of_which = f" for {shown(target)}" if len(plan.scores) > 1 else ""
    mark = "; LEAKAGE?" if score.leaks else ""
    return f"{plan.guess.reason}; alone {words(score)}{of_which}{mark}"


def _aligned(entries: Sequence[tuple[str, str]]) -> list[str]:
    width = min(_WIDEST_ENTRY, max(len(entry) for entry, _ in entries))
    return [f"  {entry:<{width}}  # {_comment(reason)}" for entry, reason in entries]


def _leaking(columns: Sequence[ColumnPlan]) -> list[str]:
    if not columns:
        return []
    return [
        "  # Left out, as each alone nearly determines a target; if it is known in time, take its first # away:",
        *_aligned([(f"# {scalar(c.name)}: {flow(_feature(c))}", _reason(c)) for c in columns]),
    ]


def _dropped(columns: Sequence[ColumnPlan]) -> list[str]:
    if not columns:
        return []
    lines = ["  # Left out:"]
    lines += [f"  #   {shown(c.column.name, 80)}: {_comment(c.guess.reason)}" for c in columns[:_MOST_DROPPED]]
    if len(columns) > _MOST_DROPPED:
        lines.append(f"  #   and {len(columns) - _MOST_DROPPED:,} more")
    return lines


def _tasks(plan: Plan) -> list[str]:
    lines = []
    for target in plan.targets:
        lines += [f"  {scalar(target.name)}:", f"    # {_comment(target.reason)}", f"    kind: {target.kind}"]
        lines.append(f"    label: {scalar(target.column)}")
        for key, value in target.options.items():
            # YAML would make numbers and booleans of some classes; as text, they all stay what they are.
            shown_value = [_quoted(text) for text in value] if key == "classes" else None
            lines.append(f"    {key}: {'[' + ', '.join(shown_value) + ']' if shown_value else scalar(value)}")
    return lines


def _gates(plan: Plan) -> list[str]:
    lines = []
    for name, gates in plan.gates.items():
        limits = ", ".join(f"{metric}: {flow(rules)}" for metric, rules in gates.limits.items())
        lines.append(f"    {scalar(name)}: {{{limits}}}  # {_comment(gates.reason)}")
    return lines


# --- schema -----------------------------------------------------------------------------------------------------


def schema_text(plan: Plan) -> str:
    """The columns that the configuration names, as a TFDV schema; others are used by nothing and left out."""
    # Those that are left out for leaking may be taken in again.
    used = [(column.column, column.guess.reason) for column in plan.proposed]
    used += [(c, f"label of task {t.name}") for t, c in zip(plan.targets, plan.target_columns, strict=True)]
    split = plan.division.split
    named = {column.name for column, _ in used}
    if isinstance(split, TimeSplit) and split.column not in named:
        column = next(plan.column for plan in plan.columns if plan.column.name == split.column)
        used.append((column, "splits train from eval"))
    classes = {t.column: t.classes for t in plan.targets if t.classes and "separator" not in t.options}
    header = [
        f"# What a row of {_comment(plan.sample.data.path)} may hold, guessed from {plan.sample.how}.",
        "# A feature with a shape is never missing; the others may be, in so many rows as min_fraction leaves.",
    ]
    parts = [_schema_feature(column, reason, plan, classes.get(column.name)) for column, reason in used]
    return "\n".join([*header, *parts]) + "\n"


def _schema_feature(column: Profile, reason: str, plan: Plan, classes: Sequence[str] | None) -> str:
    schema = schema_pb2.Schema()
    feature = schema.feature.add(name=column.name, type=_type(column, plan))
    feature.presence.min_count = 1
    if plan.sample.complete and not column.missing and not column.listed:
        feature.presence.min_fraction = 1.0
        feature.shape.dim.add(size=1)
    elif column.missing < column.rows / 2:
        # Half of what was seen: less is another table.
        feature.presence.min_fraction = round(0.5 * column.present / column.rows, 2)
    if classes and feature.type == schema_pb2.BYTES:
        feature.string_domain.name = column.name
        feature.string_domain.value[:] = classes
    return f"# {_comment(reason)}\n" + text_format.MessageToString(schema, as_utf8=True).rstrip("\n")


def _type(column: Profile, plan: Plan) -> int:
    """As read; of CSV that was not read to its end, a number is one with a fraction, and a category text."""
    kind = column.kind or "bytes"
    if plan.sample.data.format == "csv" and column.name in {c.column.name for c in plan.proposed if c.guess.as_text}:
        return int(_TYPES["bytes"])
    if plan.sample.data.format == "csv" and not plan.sample.complete and kind == "int":
        numeric = {c.column.name for c in plan.proposed if c.guess.kind in ("numeric", "cyclical", "vector")}
        numeric |= {t.column for t in plan.targets if KINDS[t.kind].is_numeric}
        split = plan.division.split
        if column.name in numeric:
            kind = "float"
        elif not (isinstance(split, TimeSplit) and split.column == column.name):
            kind = "bytes"
    separated = any(t.column == column.name and "separator" in t.options for t in plan.targets)
    return int(_TYPES["bytes" if separated else kind])
