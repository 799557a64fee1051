"""One `janus schema`: infers a schema from the data, compares it with the frozen one, and may freeze it."""

from functools import partial
from pathlib import Path

from rich.table import Table
from tensorflow_metadata.proto.v0 import schema_pb2

from components.anomaly_gate.column import Column, read_split
from janus_core.errors import ConfigError
from janus_core.files import write_text
from pipeline.commands.output import plain_table
from pipeline.config import JanusConfig
from pipeline.environment import library_output_to
from pipeline.home import Home
from pipeline.run.display import Display, console_on
from pipeline.run.part import attend, run_part
from pipeline.schema import ColumnDifference, column_differences, only_columns, read_schema, to_freeze, to_text


def run_schema_job(config: JanusConfig, write: bool, verbose: bool = False) -> int:
    """Shows what differs, writes only if asked to, and returns the exit code.

    Raises:
        ConfigError: the schema's file cannot be written.
        DataError: the data are missing or cannot be read.
        JanusError: the metadata database cannot be used, or a run of the pipeline is under way.
    """
    home = Home(config.name)
    home.create()
    path = Path(config.schema_ or f"schema/{config.name}.pbtxt")
    with library_output_to(home.folder / "schema.log", verbose) as terminal:
        console = console_on(terminal.out)
        found = attend(partial(_infer, config, home), console, terminal, "nothing was written")
        if isinstance(found, int):
            return found
        inferred, rows, columns = found
        known = only_columns(read_schema(path), config.named_columns()) if path.exists() else None
        differing = column_differences(known or schema_pb2.Schema(), inferred, rows, columns)
        if differing:
            console.print(difference_table(differing, path, known is not None))
        else:
            console.print(f"{path} says what the training split shows: nothing differs")
        if write:
            try:
                write_text(path, to_text(to_freeze(inferred, config)))
            except OSError as error:
                raise ConfigError(f"the schema file {path} cannot be written: {error.strerror}") from error
            console.print(f"written to {path}")
            if config.schema_ is None:
                console.print(f"add `schema: {path}` to the configuration, so that runs are checked against it")
        elif differing:
            console.print("nothing was written; `--write` freezes the inferred schema")
    return 0


def difference_table(differing: list[ColumnDifference], path: Path, exists: bool) -> Table:
    """Column × in the file × inferred."""
    title = f"{path} and the training split" if exists else f"inferred from the training split; there is no {path}"
    table = plain_table(title, ("column", "in the file", "inferred", "a run") if exists else ("column", "inferred"))
    for difference in differing:
        cells = [difference.column, difference.in_file or "–", difference.inferred or "–"]
        verdict = "✗ stops" if difference.stops else "✓ passes"
        table.add_row(*([*cells, verdict] if exists else [cells[0], cells[2]]))
    return table


def _infer(config: JanusConfig, home: Home, display: Display) -> tuple[schema_pb2.Schema, int, dict[str, Column]]:
    """The schema of the training split, its rows, and their statistics."""
    executions = run_part("schema", config, home, display)
    schema = executions["SchemaGen"].output("schema")
    statistics = executions["StatisticsGen"].output("statistics")
    if schema is None or statistics is None:
        raise RuntimeError("SchemaGen gave no schema")
    return read_schema(Path(schema.uri) / "schema.pbtxt"), *read_split(statistics.uri, "train")
