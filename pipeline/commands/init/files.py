"""The two files that are proposed: the configuration as commented YAML, and the schema as .pbtxt."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from janus_core.kinds import KINDS
from janus_core.tables.column_kinds import Kind
from janus_core.tables.config import HashSplit, TimeSplit
from janus_core.templates import templates_of
from pipeline.commands.init.profile import Profile
from pipeline.commands.init.proposal import ColumnProposal, Proposal
from pipeline.commands.init.sample import Sample
from pipeline.commands.init.wording import counted, one_line, shown

_WIDEST_ENTRY = 60
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"})


def config_text(proposal: Proposal, schema: Path, command: str) -> str:
    """The configuration, each guess with its reason."""
    environment = templates_of("pipeline.commands.init")
    environment.filters.update(one_line=one_line, shown=shown, counted=counted, flow=flow, quoted=quoted)
    return environment.get_template("config.yaml.j2").render(
        vars(proposal),
        data=proposal.sample.data,
        command=command,
        schema=str(schema),
        split_keys=_split(proposal.split.split),
        features=_features(proposal.features),
        leaks=_features(proposal.leaks, mark="# "),
        left_out=[column for column in proposal.columns if not column.used and not column.leaking],
    )


def flow(value: Any) -> str:
    """A value as YAML reads it back, on one line: text in quotes unless it is plainly a word."""
    if isinstance(value, str):
        plain = value.isascii() and re.sub("[_/.-]", "", value).isalnum()
        word = plain and value[0].isalpha() and value.lower() not in _YAML_WORDS
        return value if word else quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(flow, value))}]"
    return str(value)


def quoted(value: Any) -> str:
    """As `flow`, with all texts but the keys in double quotes, with JSON's escapes, which are YAML's as well."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {quoted(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _split(split: Any) -> dict[str, Any]:
    if isinstance(split, TimeSplit):
        form = {"format": split.format} if split.format else {}
        start = split.eval_from
        whole = not isinstance(start, str) and float(start).is_integer()
        return {"by": "time", "column": split.column, **form, "eval_from": int(start) if whole else start}
    assert isinstance(split, HashSplit)
    return {"by": "hash", "eval_fraction": split.eval_fraction}


def _features(columns: Sequence[ColumnProposal], mark: str = "") -> list[str]:
    """An entry per column, after `mark`, and its reason in a comment; the comments are aligned."""
    entries = []
    for column in columns:
        name = {"column": column.column.name} if column.column.name != column.name else {}
        keys = {"kind": column.guess.kind, **name, **column.guess.options}
        entries.append(f"{mark}{flow(column.name)}: {flow(keys)}")
    width = min(_WIDEST_ENTRY, max(map(len, entries), default=0))
    return [f"{entry:<{width}}  # {one_line(_reason(column))}" for entry, column in zip(entries, columns, strict=True)]


def _reason(column: ColumnProposal) -> str:
    if column.best is None:
        return column.guess.reason
    target, score = column.best
    of_which = f" for {shown(target)}" if len(column.scores) > 1 else ""
    return f"{column.guess.reason}; alone {score}{of_which}{'; LEAKAGE?' if score.leaks else ''}"


# --- the schema ---------------------------------------------------------------------------------------------------


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
    feature = schema.feature.add(name=column.name, type=schema_pb2.FeatureType.Value((kind or "bytes").upper()))
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
