"""What a used column would lose in numbers of 32 bits, as in tf.Examples and in TensorFlow's layers."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from janus_core.strict import StrictModel
from janus_core.tables.batch import Batch
from janus_core.tables.column_kinds import EXACT
from janus_core.tables.lists import is_list

_SAMPLE = 4096


Role = Literal["number", "cyclical", "category", "regression", "count", "classes"]
"""What a column is used for: the first three are features, the others labels."""

_LIMITS: dict[Role, tuple[float | None, float | None]] = {
    "number": (1e-3, 1e-2),
    "cyclical": (1e-3, None),
    "category": (None, None),
    "regression": (1e-4, 1e-4),
    "count": (1e-4, 1e-4),
    "classes": (None, None),
}
"""The rounding error, as a share of the spread, that is harmless: of numbers with a fraction, and of whole ones, which
a tf.Example holds exactly. Metrics are measured by labels. Beyond the limit of whole numbers that are a feature,
Transform treats them as constant. None: the error does not matter."""


class Use(StrictModel):
    """What a column is used for.

    Attributes:
        role: the use.
        period: of a cyclical number.
    """

    role: Role
    period: float | None = None

    @property
    def as_number(self) -> bool:
        """Whether numbers that are close are as good as equal ones."""
        return _LIMITS[self.role][0] is not None

    @property
    def served(self) -> bool:
        """Whether requests have the column."""
        return self.role in ("number", "cyclical", "category")


@dataclass(frozen=True)
class Rounding:
    """How a column's numbers are distributed, and what float32 makes of them.

    By medians and quartiles, which a few odd values do not move.

    Attributes:
        error: the greatest median rounding error of a batch.
        spread: the greatest distance between the quartiles of a batch.
        low, high: the least and the greatest median of a batch.
        whole: whether they are whole numbers.
        lost: where different values would become one, and which; empty if they would not.
    """

    error: float
    spread: float
    low: float
    high: float
    whole: bool
    lost: str = ""

    def merged(self, other: "Rounding") -> "Rounding":
        """The rounding over both batches."""
        return Rounding(
            max(self.error, other.error),
            max(self.spread, other.spread),
            min(self.low, other.low),
            max(self.high, other.high),
            self.whole and other.whole,
            self.lost or other.lost,
        )


def roundings(batch: Batch, uses: Mapping[str, list[Use]], sensitive: Collection[str] = ()) -> dict[str, Rounding]:
    """Column → its rounding, of the used columns of numbers in a batch; no values of `sensitive` ones are kept."""
    columns = {name: batch.columns[name] for name in uses if name in batch.columns}
    found = {name: _rounding(name, column, uses[name], batch, name in sensitive) for name, column in columns.items()}
    return {name: rounding for name, rounding in found.items() if rounding is not None}


def merge_roundings(parts: Iterable[Mapping[str, Rounding]]) -> dict[str, Rounding]:
    """The rounding of each column over all parts."""
    merged: dict[str, Rounding] = {}
    for roundings_of_part in parts:
        for name, rounding in roundings_of_part.items():
            merged[name] = merged[name].merged(rounding) if name in merged else rounding
    return merged


def precision_problems(
    found: Mapping[str, Rounding], uses: Mapping[str, list[Use]], sensitive: Collection[str] = ()
) -> Iterator[str]:
    """A sentence, with the remedy, per column and use that would lose too much; without values of `sensitive` ones."""
    for name, rounding in found.items():
        for use in uses.get(name, []):
            if rounding.lost and (use.served if rounding.whole else not use.as_number):
                yield rounding.lost
            limit = _LIMITS[use.role][rounding.whole]
            spread = min(max(rounding.spread, rounding.high - rounding.low), use.period or math.inf)
            if limit is not None and spread > 0 and rounding.error > limit * spread:
                yield _too_much(name, rounding, spread, use, name in sensitive)


def offset_against_rounding(numbers: np.ndarray, role: Role) -> int | None:
    """A number that must be subtracted from finite numbers before they are rounded; None where that is harmless."""
    whole = bool((np.floor(numbers) == numbers).all())
    found, limit = _measured(numbers, whole), _LIMITS[role][whole]
    if limit is None or not found.spread or found.error <= limit * found.spread:
        return None
    return suggested_offset(found.low, found.high, found.spread)


def suggested_offset(low: float, high: float, spread: float) -> int:
    """A round number between `low` and `high`, or nearly."""
    step = 10 ** max(0, math.floor(math.log10(spread)))
    return round((low + high) / 2 / step) * step


def _rounding(name: str, column: pa.Array, uses: list[Use], batch: Batch, hidden: bool) -> Rounding | None:
    values = column.values if is_list(column.type) else column
    whole = pa.types.is_integer(values.type)
    if not (whole or pa.types.is_floating(values.type)):
        return None
    exact = values.drop_null().to_numpy(zero_copy_only=False)
    numbers = exact.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return None
    lost = []
    if whole:
        lost = exact[(exact > EXACT) | (exact < -EXACT)][:1].tolist()
    elif not all(use.as_number for use in uses):
        distinct = np.unique(numbers)
        same = np.flatnonzero(_as_float32(distinct[1:]) == _as_float32(distinct[:-1]))[:1]
        lost = [value for place in same.tolist() for value in distinct[place : place + 2].tolist()]
    row = 0 if not lost or values is not column else column.index(pa.scalar(lost[-1], column.type)).as_py()
    return replace(_measured(finite, whole), lost=_lost(name, batch.locate(row), lost, hidden))


def _measured(numbers: np.ndarray, whole: bool) -> Rounding:
    """The rounding of an even sample of finite numbers."""
    sample = numbers[:: max(1, len(numbers) // _SAMPLE)]
    low, middle, high = np.percentile(sample, [25, 50, 75]).tolist()
    error = float(np.median(np.abs(sample - _as_float32(sample))))
    return Rounding(error, high - low, middle, middle, whole)


def _as_float32(numbers: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32).astype(np.float64)


def _lost(name: str, where: str, values: list[float], hidden: bool) -> str:
    if not values:
        return ""
    if len(values) == 1:
        return (
            f"{where}: column '{name}' holds {'a number' if hidden else values[0]}, but `serving_columns` takes whole "
            f"numbers only up to {EXACT} exactly; make the column text (BYTES in a schema)"
        )
    both = "two numbers" if hidden else f"{values[0]!r} and {values[1]!r}"
    return (
        f"{where}: column '{name}' holds {both}, which are the same number in the 32 bits of a tf.Example; write them "
        "as text, or as whole numbers of a smaller unit"
    )


def _too_much(name: str, rounding: Rounding, spread: float, use: Use, hidden: bool) -> str:
    offset = suggested_offset(rounding.low, rounding.high, spread)
    remedy = f"subtract {'their mean' if hidden else offset} in the table"
    if use.role == "regression":
        remedy = f"give its task `offset: {offset}`, which is subtracted before and added to predictions again"
    elif rounding.whole and use.served:
        remedy += ", or make it categorical if the numbers are names"
    middle = "" if hidden else f" around {(rounding.low + rounding.high) / 2:.10g}"
    return (
        f"column '{name}' holds numbers{middle} that differ by "
        f"about {spread:.3g}, and 32 bits, which tf.Examples and models have for a number, are off by "
        f"{rounding.error:.2g} there; {remedy}"
    )
