"""Writes prepared tables so that a reader sees a whole file or none."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def write_table(frame: pd.DataFrame, schema: pa.Schema, output: Path, formats: tuple[str, ...]) -> list[Path]:
    """Writes `frame` as CSV to `output` and as Parquet to `output`-parquet, whichever are asked for."""
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)
    written = []
    if "parquet" in formats:
        target = output.with_name(f"{output.name}-parquet") / f"{output.name}.parquet"
        written.append(_write(target, lambda path: pq.write_table(table, path)))
    if "csv" in formats:
        # pandas, not pyarrow: it writes a whole-numbered float as 10.0, so that a reader infers the column's type
        # from any sample of rows. Last, since a finished CSV folder is the sign that nothing needs preparing.
        target = output / f"{output.name}.csv"
        written.append(_write(target, lambda path: frame[schema.names].to_csv(path, index=False, lineterminator="\n")))
    return written


def sample_rows(frame: pd.DataFrame, rows: int | None, seed: int) -> pd.DataFrame:
    """One row at random from each of `rows` equal stretches of `frame`, in its order; all rows for None."""
    if rows is None or rows >= len(frame):
        return frame
    edges = np.arange(rows + 1, dtype=np.int64) * len(frame) // rows
    # RandomState: its stream is frozen, that of default_rng may change between numpy's versions
    shares = np.random.RandomState(seed).uniform(size=rows)
    return frame.iloc[edges[:-1] + (shares * np.diff(edges)).astype(np.int64)]


def _write(target: Path, write: Callable[[Path], object]) -> Path:
    """Writes into a folder beside the target's own, then renames: a killed run leaves nothing that looks done."""
    scratch = target.parent.with_name(f".{target.parent.name}-{os.getpid()}")
    scratch.mkdir(parents=True)
    try:
        write(scratch / target.name)
        if target.parent.exists():
            os.replace(scratch / target.name, target)
        else:
            scratch.rename(target.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
