"""Values of columns of dates that are no dates, counted as `bad_rows` does."""

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.bad_rows import MAX_VALUES, BadRows, as_text
from janus_core.tables.batch import Batch
from janus_core.tables.lists import is_list
from janus_core.tables.times import EPOCHS, FIRST, LAST, parse_times, seconds_of_numbers


def check_times(batch: Batch, forms: Mapping[str, str], sensitive: Collection[str] = ()) -> list[BadRows]:
    """An entry per column and value that is neither missing nor a date of the form, empty for the default one.

    Sensitive columns have one entry, without the value.
    """
    bad_rows: list[BadRows] = []
    for name, form in forms.items():
        column = batch.columns.get(name)
        if column is None or is_list(column.type) or pa.types.is_null(column.type):
            continue
        encoded = column.dictionary_encode()
        wrong = np.flatnonzero(~_valid(encoded.dictionary, form or None))
        if not wrong.size:
            continue
        indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        counts = np.bincount(indices[indices >= 0], minlength=len(encoded.dictionary))
        groups = [wrong] if name in sensitive else wrong[:MAX_VALUES, None]
        for places in groups:
            first = int(np.flatnonzero(np.isin(indices, places))[0])
            value = "" if name in sensitive else as_text(encoded.dictionary[int(places[0])].as_py())
            bad_rows.append(BadRows("no_date", name, value, int(counts[places].sum()), batch.locate(first)))
    return bad_rows


def _valid(values: pa.Array, form: str | None) -> np.ndarray:
    """bool [n]; a missing number, NaN, is valid."""
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        text = pa.array(
            [value.decode("utf-8", "replace") for value in values.cast(pa.binary()).to_pylist()], pa.string()
        )
        blank = pc.equal(pc.utf8_trim_whitespace(text), "").to_numpy(zero_copy_only=False)
        if form not in EPOCHS:
            return blank | parse_times(text, form).valid
        numbers = pc.match_substring_regex(text, r"^\s*[+-]?\d{1,18}(?:\.\d{1,9})?\s*$").to_numpy(zero_copy_only=False)
        known = [float(number) if valid else np.nan for number, valid in zip(text.to_pylist(), numbers, strict=True)]
        seconds = seconds_of_numbers(np.array(known), form)
        return blank | (numbers & (seconds >= FIRST) & (seconds <= LAST))
    if form is not None and form not in EPOCHS:
        return parse_times(pa.array([as_text(value) for value in values.to_pylist()], pa.string()), form).valid
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    seconds = seconds_of_numbers(numbers, form)
    return np.isnan(numbers) | ((seconds >= FIRST) & (seconds <= LAST))
