"""Checks of labels that are more than one value: a wrong one is an error that names its row."""

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from components.example_gen.bad_rows import as_text
from components.example_gen.structured import TagsColumn
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


def check_tags(batch: Batch, tags: Mapping[str, TagsColumn], sensitive: Collection[str] = ()) -> None:
    """Checks that each row has as many tags as tokens, or none, and that each tag is one of the classes.

    Args:
        batch: the rows.
        tags: column of tags → what they are of.
        sensitive: columns whose values no message shows.

    Raises:
        DataError: with a sentence for each wrong row.
    """
    problems: list[str] = []
    for name, of in tags.items():
        if name not in batch.columns or batch.columns[name].null_count == batch.rows:
            continue
        classes = set(of.classes)
        texts = (_texts(batch, name, of.separator), _texts(batch, of.tokens, of.tokens_separator))
        for row, (found, tokens) in enumerate(zip(*texts, strict=True)):
            what = ""
            if found and len(found) != len(tokens):
                what = f"has {len(found)} tags, and column '{of.tokens}' {len(tokens)} tokens (task '{of.task}')"
            elif found and "" in tokens:
                what = f"has tags of tokens of which one, in column '{of.tokens}', is empty: remove it and its tag"
            elif strange := [tag for tag in found if tag not in classes]:
                shown = "a tag" if name in sensitive else f"the tag '{strange[0]}'"
                what = f"has {shown}, which is not among the classes of task '{of.task}'"
            if what:
                problems.append(f"{batch.locate(row)}: column '{name}' {what}")
            if len(problems) == MOST_PROBLEMS:
                raise DataError("; ".join(problems), problems)
    if problems:
        raise DataError("; ".join(problems), problems)


def _texts(batch: Batch, name: str, separator: str | None) -> list[list[str]]:
    """The values of each row's list, or of its text between separators; none where it is missing."""
    column = batch.columns.get(name)
    found: list[list[str]] = []
    for cell in column.to_pylist() if column is not None else [None] * batch.rows:
        values = cell if isinstance(cell, list) else [] if cell is None else [cell]
        texts = [as_text(value) for value in values]
        if separator is not None:
            texts = [part.strip() for text in texts for part in text.split(separator) if part.strip()]
        found.append(texts)
    return found


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
