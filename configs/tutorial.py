"""Makes data/tutorial: vectors of ten random numbers, with a class (task_a) and a number (task_b) that follow."""

import numpy as np
import pandas as pd
import pyarrow as pa
from _tables import argument_parser, write_parquet

SEED = 42
LENGTH = 10
CLASSES = 3

SCHEMA = pa.schema({"x": pa.list_(pa.float32()), "task_a": pa.int64(), "task_b": pa.float64()})


def prepare(rows: int) -> pd.DataFrame:
    """Both labels depend on the same hidden directions, so that there is something to share."""
    random = np.random.RandomState(SEED)
    weights = random.normal(size=(LENGTH, CLASSES)) / np.sqrt(LENGTH)
    x = random.normal(size=(rows, LENGTH)).astype(np.float32)
    hidden = np.tanh(x @ weights) + random.normal(scale=0.1, size=(rows, CLASSES))
    task_b = 10 + 5 * (hidden[:, 0] - hidden[:, 1]) + 3 * hidden[:, 2] ** 2 + random.normal(scale=0.5, size=rows)
    return pd.DataFrame({"x": list(x), "task_a": hidden.argmax(axis=1), "task_b": task_b})


def main() -> None:
    """Parses the command line, prepares and writes."""
    arguments = argument_parser(__doc__, "data/tutorial", rows=4000).parse_args()
    write_parquet(prepare(arguments.rows), SCHEMA, arguments.output / f"{arguments.output.name}.parquet")


if __name__ == "__main__":
    main()
