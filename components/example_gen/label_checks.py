"""Checks of labels that are more than one value: a wrong one is an error that names its row."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from janus_core.tables.lists import flat_values, is_list

TOLERANCE = 1e-5
"""By which a box may be beyond the image: float32 rounds."""
MOST_PROBLEMS = 20


def check_boxes(batch: Batch, boxes: Mapping[str, str]) -> None:
    """Checks columns of boxes, [top, left, bottom, right] as shares of the image; a missing list is allowed.

    Args:
        batch: the rows.
        boxes: column → its task.

    Raises:
        DataError: with a sentence for each wrong row.
    """
    problems: list[str] = []
    for name, task in boxes.items():
        if name in batch.columns and batch.columns[name].null_count < batch.rows:
            problems += [
                f"{batch.locate(row)}: column '{name}' {what}" for row, what in _wrong(batch.columns[name], task)
            ]
    if problems:
        raise DataError("; ".join(problems[:MOST_PROBLEMS]), problems[:MOST_PROBLEMS])


def _wrong(column: pa.Array, task: str) -> list[tuple[int, str]]:
    """Rows with a box that is none, and what is wrong with it."""
    wanted = f"a box of task '{task}' is four numbers from 0 to 1, [top, left, bottom, right]"
    if not is_list(column.type) or not (
        pa.types.is_floating(column.type.value_type) or pa.types.is_integer(column.type.value_type)
    ):
        row = int(np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))[0])
        return [(row, f"does not hold lists of numbers; {wanted}")]
    values, offsets = flat_values(column)
    sizes = np.diff(offsets)
    wrong = [(int(row), f"has {sizes[row]} numbers; {wanted}") for row in np.flatnonzero((sizes != 4) & (sizes != 0))]
    if wrong:
        return wrong
    filled = np.flatnonzero(sizes)
    found = values.to_numpy(zero_copy_only=False).astype(np.float64).reshape(-1, 4)
    inside = ((found >= -TOLERANCE) & (found <= 1 + TOLERANCE)).all(axis=1)
    ordered = (found[:, :2] <= found[:, 2:]).all(axis=1)
    for place in np.flatnonzero(~(inside & ordered)):
        shown = ", ".join(f"{number:g}" for number in found[place])
        what = "is outside the image, or not finite" if not inside[place] else "ends before it begins"
        wrong.append((int(filled[place]), f"has the box [{shown}], which {what}; {wanted}"))
    return wrong
