"""Writes prepared tables so that a reader sees a whole file or none."""

import argparse
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def write_csv(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Writes the schema's columns, an empty field for a missing value."""
    # pandas, not pyarrow: it writes a whole-numbered float as 10.0, so that any rows infer the same type.
    _write(path, lambda scratch: frame[schema.names].to_csv(scratch, index=False, lineterminator="\n"))
    _report(path, frame, schema)


def write_parquet(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Writes the schema's columns, with its types."""
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)
    _write(path, lambda scratch: pq.write_table(table, scratch))
    _report(path, frame, schema)


def package_file(package: str, path: str) -> Path:
    """A file of an installed package, which is found without importing it: that may load all of its data."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the package {package} is not installed: run `make setup`, then use .venv/bin/python")
    return Path(spec.submodule_search_locations[0]) / path


def argument_parser(description: str | None, output: str, rows: int | None = None) -> argparse.ArgumentParser:
    """The options that all examples have: how many rows, and the folder that they are written to."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    of_rows = f"how many rows (default: {rows})" if rows else "a fixed sample of so many rows; default: all rows"
    parser.add_argument("--rows", type=_positive, default=rows, help=of_rows)
    parser.add_argument("--output", type=Path, default=Path(output), help="the folder (default: %(default)s)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def sample_rows(frame: pd.DataFrame, rows: int | None, seed: int) -> pd.DataFrame:
    """One row at random from each of `rows` equal stretches of `frame`, in its order; all rows for None."""
    if rows is None or rows >= len(frame):
        return frame
    edges = np.arange(rows + 1, dtype=np.int64) * len(frame) // rows
    # RandomState: its stream is frozen, that of default_rng may change between numpy's versions
    shares = np.random.RandomState(seed).uniform(size=rows)
    return frame.iloc[edges[:-1] + (shares * np.diff(edges)).astype(np.int64)]


def _report(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    print(f"{path}: {len(frame):,} rows, {len(schema)} columns", flush=True)


def _write(target: Path, write: Callable[[Path], object]) -> None:
    """Writes into a folder beside the target's own, then renames: a killed run leaves nothing that looks done."""
    scratch = target.parent.with_name(f".{target.parent.name}-{os.getpid()}")
    scratch.mkdir(parents=True)
    try:
        write(scratch / target.name)
        if target.parent.exists():
            (scratch / target.name).replace(target)
        else:
            scratch.rename(target.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
