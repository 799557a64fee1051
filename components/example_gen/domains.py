"""Checks that columns hold their allowed values only."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.bad_rows import MAX_VALUES, BadRows
from janus_core.tables.batch import Batch
from janus_core.tables.lists import flat_values, is_list, row_of_value


def check_domains(batch: Batch, domains: Mapping[str, list[str]]) -> list[BadRows]:
    """An entry per column and value that is neither missing nor among the column's allowed values."""
    bad_rows = []
    for name, allowed in domains.items():
        column = batch.columns.get(name)
        if column is None:
            continue
        values, offsets = flat_values(column) if is_list(column.type) else (column, np.arange(batch.rows + 1))
        known = set(allowed)
        wrong = (e for e in values.value_counts().to_pylist() if e["values"] is not None)
        wrong = (entry for entry in wrong if as_text(entry["values"]) not in known)
        for entry in itertools.islice(wrong, MAX_VALUES):
            value = entry["values"]
            place = pc.index(values, pa.scalar(value, values.type)).as_py() if value == value else _first_nan(values)
            where = batch.locate(row_of_value(offsets, place))
            bad_rows.append(BadRows("outside_domain", name, as_text(value), entry["counts"], where))
    return bad_rows


def as_text(value: Any) -> str:
    """A value as a class is written in the config: whole numbers without a fraction, bytes as UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _first_nan(values: pa.Array) -> int:
    return int(pc.index(pc.is_nan(values), True).as_py())
