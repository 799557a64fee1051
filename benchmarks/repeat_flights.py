"""Flights repeated with jitter: `python -m benchmarks.repeat_flights ROWS MULTIPLE FOLDER`."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as parquet

JITTERED = ("temp", "dewp", "humid", "wind_speed", "pressure")


def main() -> None:
    """Writes one CSV file; rows differ in the weather, by up to one per cent, and in flight_id."""
    rows, multiple, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    source = next(Path("data/flights-parquet").glob("*.parquet"))
    table = parquet.read_table(source).slice(0, rows)
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    with csv.CSVWriter(str(folder / "flights.csv"), table.schema) as writer:
        for copy in range(multiple):
            writer.write_table(_jittered(table, copy, rng) if copy else table)


def _jittered(table: pa.Table, copy: int, rng: np.random.Generator) -> pa.Table:
    for name in JITTERED:
        factor = pa.array(rng.uniform(0.99, 1.01, table.num_rows))
        values = pc.round(pc.multiply(pc.cast(table[name], pa.float64()), factor), 2)
        values = pc.min_element_wise(values, pc.max(table[name]), skip_nulls=False)
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(name), pc.cast(values, table.schema.field(name).type))
    identifiers = pc.add(table["flight_id"], copy * 10_000_000)
    return table.set_column(table.schema.get_field_index("flight_id"), table.schema.field("flight_id"), identifiers)


if __name__ == "__main__":
    main()
