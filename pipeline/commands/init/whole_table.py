"""What only a pass through the whole table shows: every value of labels and times, and the lines of odd values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.bad_rows import as_text
from janus_core.tables import csv_reader, parquet_reader
from janus_core.tables.batch import Batch
from janus_core.tables.column_kinds import Kind, kind_of_type
from janus_core.tables.csv_dialect import dialect_of
from pipeline.commands.init.number_forms import NumberForm
from pipeline.commands.init.sample import MAX_BYTES, Sample


@dataclass(frozen=True)
class WholeColumn:
    """A column in all rows of the table.

    Attributes:
        values: the different values as text, with their rows; of a column with too many, those of the beginning.
        missing: rows without a value.
    """

    values: dict[str, int]
    missing: int


def read_whole_columns(sample: Sample, names: Sequence[str], most_values: int = 1000) -> dict[str, WholeColumn]:
    """Streams the whole table for what a run insists on in every row: a label's classes, the time of a split.

    Raises:
        DataError: a row cannot be read.
    """
    counts: dict[str, dict[str, int]] = {name: {} for name in names}
    missing = dict.fromkeys(names, 0)
    for batch in _batches(sample, names):
        for name in names:
            column = batch.columns.get(name)
            if column is None or pa.types.is_null(column.type):
                missing[name] += batch.rows
                continue
            missing[name] += column.null_count
            for entry in column.value_counts().to_pylist() if len(counts[name]) <= most_values else ():
                if entry["values"] is not None:
                    text = as_text(entry["values"])
                    counts[name][text] = counts[name].get(text, 0) + entry["counts"]
    return {name: WholeColumn(counts[name], missing[name]) for name in names}


def find_odd_values(sample: Sample) -> dict[str, NumberForm]:
    """The sample's forms, with the first place of each value that is no number, in the first MAX_BYTES of each file."""
    wanted = {(name, value) for name, form in sample.forms.items() for value in form.odd}
    places: dict[tuple[str, str], str] = {}
    for path in sample.files if wanted else ():
        file = csv_reader.open_csv(path, dialect_of(sample.data))
        for block in csv_reader.all_blocks(file):
            if not wanted or block.start - file.header.stop > MAX_BYTES:
                break
            cells = csv_reader.parse_block(block, file, {name for name, _ in wanted})
            for name, value in sorted(wanted):
                row = pc.index(cells[name], pa.scalar(value)).as_py()
                if row >= 0:
                    places[name, value] = csv_reader.locator(block, file)(row).removeprefix("./")
                    wanted.remove((name, value))
    return {
        name: replace(form, where={value: places[name, value] for value in form.odd if (name, value) in places})
        for name, form in sample.forms.items()
    }


def _batches(sample: Sample, names: Sequence[str]) -> Iterator[Batch]:
    # A column of whole numbers in the sample may have a fraction elsewhere.
    kinds: dict[str, Kind | None] = {name: kind_of_type(sample.columns[name].type) for name in names}
    kinds = {name: "float" if kind == "int" else kind for name, kind in kinds.items()}
    for path in sample.files:
        if sample.data.format == "csv":
            file = csv_reader.open_csv(path, dialect_of(sample.data), sample.cell_forms)
            csv_kinds = {name: kinds.get(name) for name in file.columns}
            for block in csv_reader.all_blocks(file):
                yield csv_reader.read_block(block, file, csv_kinds)
        else:
            of_file = parquet_reader.column_kinds(parquet_reader.read_schema(path))
            rows = parquet_reader.read_metadata(path).num_rows
            yield from parquet_reader.read_batches(path, 0, rows, {n: kinds[n] or of_file[n] for n in names})
