"""The proposed schema as .pbtxt."""

from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from janus_core.kinds import KINDS
from janus_core.tables.column_kinds import Kind
from janus_core.tables.config import TimeSplit
from pipeline.commands.init.profile import Profile
from pipeline.commands.init.proposal import Proposal
from pipeline.commands.init.sample import Sample
from pipeline.commands.init.wording import one_line

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
