"""What kind of task each target makes."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from components.example_gen.domains import as_text
from components.example_gen.precision import offset_against_rounding
from janus_core.errors import ConfigError, DataError
from janus_core.kinds import KINDS
from janus_core.strict import LabelForm
from janus_core.tables.column_kinds import list_offsets
from janus_core.tables.inspect import repeated_name
from janus_core.tables.missing_markers import CERTAIN_MARKERS, doubtful_classes, is_number, markers_among_numbers
from pipeline.commands.init.columns import Profile, is_row_number, shown, time_form
from pipeline.commands.init.leakage import Label
from pipeline.commands.init.names import names_a_code, tokens_of, unique_name
from pipeline.commands.init.read import WholeColumn
from pipeline.config import RESERVED_TASK_NAMES

MOST_CLASSES = 100
MOST_NUMBERED_CLASSES = 20
MOST_CODES = 10
"""So many whole numbers that do not count from 0 or 1 are taken for classes all the same, with a warning."""
FEWEST_ROWS_OF_CLASS = 5
"""A number with fewer rows per value is measured rather than classified."""
MODE_SHARE = 0.4
"""Where so many labels are one value, it is the median or near it, and no model has a lower absolute error."""
_RESERVED = RESERVED_TASK_NAMES | {"shared"}
_POSITIVE = ("yes", "true", "y", "t", "1", "positive", "pos", "male", "malignant", "bad", "late", "fraud", "spam")
_ORDER_TOKENS = frozenset({"rating", "stars", "grade", "quality", "level", "rank", "score", "severity", "stage"})
_COUNT_TOKENS = frozenset({"count", "counts", "num", "number", "claims", "visits", "clicks", "events", "n"})
_SEPARATORS = ("|", ";", ",")


@dataclass(frozen=True)
class Target:
    """A proposed task.

    Attributes:
        name: the task's name.
        column: its label's column.
        kind: the task's kind.
        reason: why this one.
        options: the other keys: `classes`, `separator`, `loss`.
        warnings: what a person should know of it.
    """

    name: str
    column: str
    kind: str
    reason: str
    options: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def form(self) -> LabelForm:
        """What a row's label is."""
        return KINDS[self.kind].label_form

    @property
    def classes(self) -> list[str]:
        """In order; none of a number."""
        return list(self.options.get("classes", []))


def check_targets(targets: Sequence[str], columns: Sequence[str]) -> None:
    """Raises ConfigError for a target that is no column, with the nearest, and for one that is named twice."""
    problems = []
    for target in targets:
        if target not in columns:
            folded = {column.casefold(): column for column in columns}
            close = difflib.get_close_matches(target.casefold(), list(folded), n=1, cutoff=0.5)
            near = f"; did you mean {shown(folded[close[0]])}?" if close else f"; there are {_listing(columns)}"
            hint = repeated_name(target, columns) or near
            problems.append(f"--targets: the table has no column {shown(target)}{hint}")
        elif targets.count(target) > 1:
            problems.append(f"--targets: column {shown(target)} is named twice")
    if not targets:
        problems.append(f"--targets: name at least one column; there are {_listing(columns)}")
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    if set(targets) >= set(columns):
        raise ConfigError("--targets: every column is a target, none is left to predict them from")


def guess_targets(columns: Sequence[Profile], whole: Mapping[str, WholeColumn]) -> list[Target]:
    """A task for each target's column.

    Args:
        columns: the targets' columns in the sample.
        whole: of the whole table, where the sample is not all of it.

    Raises:
        DataError: a target is missing throughout, constant, different in every row, or of no kind.
    """
    taken: set[str] = set()
    targets, problems = [], []
    for column in columns:
        name = unique_name(column.name, taken | _RESERVED, suffix="task")
        taken.add(name)
        try:
            targets.append(_guess(name, column, whole.get(column.name)))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError("\n".join(problems), problems)
    return targets


def words_for_missing(column: Profile) -> dict[str, int]:
    """The values of a text label that say that there is none, such as nan or N/A, with their rows."""
    if column.numbers is not None or column.listed:
        return {}
    words = {value: rows for value, rows in column.values.items() if value.strip().lower() in CERTAIN_MARKERS | {""}}
    return words if len(column.values) - len(words) >= 2 else {}


def label_of(target: Target, column: Profile) -> Label | None:
    """The target's labels in the sample's rows; None where a row has several."""
    if target.form == "classes":
        return None
    if KINDS[target.kind].is_numeric:
        numbers = column.numbers if column.numbers is not None else np.full(column.rows, np.nan)
        present = np.isfinite(numbers) & ((numbers >= 0) if target.form == "count" else True)
        return Label(np.where(present, numbers, 0.0), present, 0)
    encoded = column.array.dictionary_encode()
    place = {text: index for index, text in enumerate(target.classes)}
    index_of = [place.get(as_text(value), -1) for value in encoded.dictionary.to_pylist()]
    indices = encoded.indices.fill_null(len(index_of)).to_numpy(zero_copy_only=False).astype(np.int64)
    values = np.array([*index_of, -1])[indices]
    return Label(np.maximum(values, 0), values >= 0, len(target.classes))


def multi_hot(target: Target, column: Profile) -> tuple[np.ndarray, np.ndarray]:
    """Of a multilabel target: bool [rows, classes], and bool [rows], whether all of a row's values are known."""
    place = {text: index for index, text in enumerate(target.classes)}
    applies = np.zeros((column.rows, len(place)), bool)
    known = np.ones(column.rows, bool)
    separator = target.options.get("separator")
    for row, value in enumerate(column.array.to_pylist()):
        for text in _parts(value, separator):
            if text in place:
                applies[row, place[text]] = True
            else:
                known[row] = False
    return applies, known


def _parts(value: Any, separator: str | None) -> list[str]:
    if value is None:
        return []
    if separator is None:
        return [as_text(part) for part in value]
    return [part.strip() for part in as_text(value).split(separator) if part.strip()]


# --- one target -------------------------------------------------------------------------------------------------


def _guess(name: str, column: Profile, whole: WholeColumn | None) -> Target:
    who = f"target {shown(column.name)}"
    if not column.present:
        raise DataError(f"{who}: no row has a value; choose another target")
    if column.listed:
        return _listed(name, column, who)
    values = whole.values if whole else column.values
    if len(values) == 1:
        only = shown(next(iter(values)))
        raise DataError(f"{who}: constant, {only} in every row: there is nothing to learn; choose another target")
    if is_row_number(column):
        raise DataError(f"{who}: different in every row, a number that only grows or falls: it is an identifier")
    if time_form(column):
        raise DataError(f"{who}: points in time, which no kind of task predicts; make a number of it, such as hours")
    found = _of_text(name, column, values, who) if column.numbers is None else _of_numbers(name, column, values, who)
    return Target(found.name, found.column, found.kind, found.reason, found.options, _warnings(found, column, values))


def _warnings(target: Target, column: Profile, values: Mapping[str, int]) -> tuple[str, ...]:
    warnings = []
    if column.missing:
        rows = f"{column.missing:,} of {column.rows:,} rows"
        warnings.append(f"target {shown(column.name)}: missing in {rows}, which are masked for it")
    if target.form == "class":
        warnings += _doubtful_classes(target, values)
        counts = {name: values.get(name, 0) for name in target.classes}
        total = sum(counts.values())
        rarest = min(counts, key=lambda name: counts[name])
        share = counts[rarest] / total
        if share < min(0.1, 0.6 / len(counts)):
            warnings.append(
                f"target {shown(column.name)}: imbalanced, class {shown(rarest)} is {100 * share:.2g} % of the labels "
                f"({counts[rarest]:,} of {total:,}); watch auc rather than accuracy, and see `class_weights: balanced`"
            )
    return (*target.warnings, *warnings)


def _doubtful_classes(target: Target, values: Mapping[str, int]) -> list[str]:
    """Classes that may stand for a missing label, or for one another."""
    who = f"target {shown(target.column)}"
    missing, alike = doubtful_classes(target.classes)
    warnings = [
        f"{who}: class {shown(value)} ({values.get(value, 0):,} rows) may stand for a missing label; if it does, take "
        f"it out of classes and write data.null_values: {{{target.column}: [{shown(value)}]}}"
        for value in missing
    ]
    for variants in alike:
        listed = ", ".join(f"{shown(value)} ({values.get(value, 0):,} rows)" for value in variants)
        warnings.append(f"{who}: {listed} differ in case or blanks only and are classes of their own; write them alike")
    return warnings


def _listed(name: str, column: Profile, who: str) -> Target:
    if column.kind == "float":
        raise DataError(f"{who}: lists of numbers are no label; make a column of each")
    offsets = list_offsets(column.array)
    flat = column.array.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    classes = sorted({as_text(value) for value in flat.unique().to_pylist() if value is not None})
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(f"{who}: {len(classes):,} different values in its lists; 2 to {MOST_CLASSES} can be classes")
    return Target(name, column.name, "multilabel", f"lists of {len(classes)} values", {"classes": classes})


def _of_text(name: str, column: Profile, values: Mapping[str, int], who: str) -> Target:
    markers = markers_among_numbers(values)
    if len(values) - len(markers) > MOST_NUMBERED_CLASSES and markers:
        words = ", ".join(map(shown, markers))
        raise DataError(f"{who}: numbers, but for {words}: leave these cells empty, then they are masked")
    separated = _separated(name, column, values)
    if separated:
        return separated
    if len(values) > MOST_CLASSES or len(values) > 0.5 * column.present:
        raise _too_many_classes(column, values, who, "text")
    classes = sorted(values)
    if len(classes) == 2:
        return _binary(name, column, values)
    return Target(name, column.name, "multiclass", f"text, {len(classes)} values", {"classes": classes})


def _too_many_classes(column: Profile, values: Mapping[str, int], who: str, what: str) -> DataError:
    everyone = len(column.values) == column.present
    values_shown = "different in every row" if everyone else f"{len(values):,} different values"
    return DataError(
        f"{who}: {what}, {values_shown}; at most {MOST_CLASSES} classes of several rows each are proposed: choose "
        "another target, group its values, or write the task by hand (kind: multiclass, classes: [...])"
    )


def _separated(name: str, column: Profile, values: Mapping[str, int]) -> Target | None:
    """Several classes in one string: few parts, which come in many combinations."""
    for separator in _SEPARATORS:
        if sum(count for value, count in values.items() if separator in value) < 0.2 * sum(values.values()):
            continue
        parts = [part.strip() for value in values for part in value.split(separator) if part.strip()]
        classes = sorted(set(parts))
        if 2 <= len(classes) <= MOST_CLASSES and len(classes) < len(values) and max(map(len, classes)) <= 40:
            reason = f"text, {len(classes)} values in combinations, with {shown(separator)} between them"
            return Target(name, column.name, "multilabel", reason, {"classes": classes, "separator": separator})
    return None


def _binary(name: str, column: Profile, values: Mapping[str, int]) -> Target:
    """The positive class comes second: one that says yes, else the rarer one."""
    known = sorted((value for value in values if value.strip().lower() in _POSITIVE), key=lambda v: len(v))
    numbers = all(map(is_number, values))
    positive = known[0] if len(known) == 1 else min(values, key=lambda value: (values[value], value))
    why = "by its meaning" if len(known) == 1 else "as the rarer one"
    if numbers:
        positive, why = max(values, key=float), "as the larger one"
    negative = next(value for value in values if value != positive)
    reason = f"two values; {shown(positive)} is positive, {why}"
    return Target(name, column.name, "binary", reason, {"classes": [negative, positive]})


def _of_numbers(name: str, column: Profile, values: Mapping[str, int], who: str) -> Target:
    numbers = column.numbers
    assert numbers is not None
    if np.isinf(numbers).any():
        raise DataError(f"{who}: infinite in {int(np.isinf(numbers).sum()):,} rows: correct them, or leave them empty")
    found = numbers[~np.isnan(numbers)]
    tokens = set(tokens_of(column.name))
    distinct = len(values)
    whole = column.whole and not column.unit and all(re.fullmatch(r"-?\d+", value) for value in values)
    if whole and distinct == 2:
        return _binary(name, column, values)
    counted = bool(tokens & _COUNT_TOKENS) and found.min() >= 0
    if whole and not counted and len(found) / distinct >= FEWEST_ROWS_OF_CLASS:
        classes = _numbered_classes(name, column, sorted(values, key=int), tokens, who)
        if classes:
            return classes
    if whole and counted:
        return Target(name, column.name, "count", f"whole numbers from 0 to {found.max():g}, a count by its name")
    return _regression(name, column, found, numbered=whole)


def _numbered_classes(name: str, column: Profile, ordered: list[str], tokens: set[str], who: str) -> Target | None:
    """The task where whole numbers are classes: few of them, or codes by the column's name."""
    distinct = len(ordered)
    contiguous = int(ordered[-1]) - int(ordered[0]) == distinct - 1
    which = f"{distinct} whole numbers from {ordered[0]} to {ordered[-1]}"
    if distinct <= MOST_NUMBERED_CLASSES and contiguous and tokens & _ORDER_TOKENS:
        reason = f"{which}, which have an order by the name"
        return Target(name, column.name, "ordinal", reason, {"classes": ordered})
    if distinct <= MOST_NUMBERED_CLASSES and contiguous and int(ordered[0]) in (0, 1):
        return Target(name, column.name, "multiclass", f"{which}, taken for classes", {"classes": ordered})
    if names_a_code(column.name):
        if distinct > MOST_CLASSES:
            raise _too_many_classes(column, column.values, who, "codes by its name")
        return Target(name, column.name, "multiclass", f"{which}, codes by the name", {"classes": ordered})
    if distinct > MOST_CODES:
        return None
    warning = (
        f"{who}: {', '.join(ordered)} are taken for classes, as they are few; if they measure something, write "
        "kind: regression and no classes"
    )
    return Target(name, column.name, "multiclass", f"{which}, taken for classes", {"classes": ordered}, (warning,))


def _regression(name: str, column: Profile, found: np.ndarray, numbered: bool = False) -> Target:
    options: dict[str, Any] = {"unit": column.unit} if column.unit else {}
    offset = offset_against_rounding(found, "regression")
    options |= {"offset": offset} if offset else {}
    warnings = _perhaps_codes(column, found) if numbered else ()
    deviation = float(found.std())
    skew = float(np.mean(((found - found.mean()) / deviation) ** 3)) if deviation > 0 else 0.0
    reason = f"number, {len(column.values):,} values from {found.min():g} to {found.max():g}"
    if column.written and column.written.shown:
        reason += f", {column.written.shown}"
    mode, rows = next(iter(column.values.items()))
    if rows > MODE_SHARE * len(found):
        share = 100 * rows / len(found)
        reason += f"; {share:.0f} % are {shown(mode)}, which no absolute error beats: the squared loss aims at the mean"
        return Target(name, column.name, "regression", reason, {"loss": "mse", **options}, warnings)
    if abs(skew) > 1:
        reason += f"; skewness {skew:.1f}: the absolute loss aims at the median, as its gate does"
        return Target(name, column.name, "regression", reason, {"loss": "mae", **options}, warnings)
    return Target(name, column.name, "regression", reason, {"loss": "huber", **options}, warnings)


def _perhaps_codes(column: Profile, found: np.ndarray) -> tuple[str, ...]:
    """A warning where each of many whole numbers from 0 or 1 on comes several times, as codes of classes do."""
    distinct = len(column.values)
    dense = found.min() in (0, 1) and found.max() - found.min() == distinct - 1
    if distinct > MOST_NUMBERED_CLASSES and not (dense and len(found) / distinct >= FEWEST_ROWS_OF_CLASS):
        return ()
    return (
        f"target {shown(column.name)}: {distinct:,} whole numbers are predicted as a number (regression); if they are "
        "codes of classes, write kind: multiclass and classes: [...]",
    )


def _listing(columns: Sequence[str], most: int = 20) -> str:
    more = f" and {len(columns) - most:,} more" if len(columns) > most else ""
    return ", ".join(shown(column) for column in columns[:most]) + more
