"""Which task each target makes."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from components.example_gen.bad_rows import as_text
from components.example_gen.precision import offset_against_rounding
from janus_core.errors import ConfigError, DataError
from janus_core.kinds import KINDS
from janus_core.strict import LabelForm
from janus_core.tables.inspect import repeated_name
from janus_core.tables.lists import flat_values
from janus_core.tables.missing_markers import CERTAIN_MARKERS, doubtful_classes, is_number, markers_among_numbers
from pipeline.commands.init.column_names import COUNT_TOKENS, ORDER_TOKENS, names_a_code, unique_name
from pipeline.commands.init.leakage import Label
from pipeline.commands.init.media import values_in
from pipeline.commands.init.profile import Profile, is_row_number, time_form_of
from pipeline.commands.init.whole_table import WholeColumn
from pipeline.commands.init.wording import listed, shown
from pipeline.config import RESERVED_TASK_NAMES

MOST_CLASSES = 100
MOST_NUMBERED_CLASSES = 20
MOST_CODES = 10
"""Up to this number, whole numbers that do not count from 0 or 1 are still taken for classes, with a warning."""
FEWEST_ROWS_OF_CLASS = 5
"""A number with fewer rows per value is predicted as a number rather than classified."""
MODE_SHARE = 0.4
"""Where this share of the labels is one value, it is near the median, and no model has a lower absolute error."""
_RESERVED = RESERVED_TASK_NAMES | {"shared", "error"}
_POSITIVE = ("yes", "true", "y", "t", "1", "positive", "pos", "male", "malignant", "bad", "late", "fraud", "spam")
_SEPARATORS = ("|", ";", ",")


@dataclass(frozen=True)
class TaskProposal:
    """A proposed task.

    Attributes:
        options: the other keys: `classes`, `separator`, `loss`.
    """

    column: Profile
    kind: str
    reason: str
    options: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    name: str = ""

    @property
    def label(self) -> str:
        """The name of its label's column."""
        return self.column.name

    @property
    def form(self) -> LabelForm:
        """What a row's label is."""
        return KINDS[self.kind].label_form

    @property
    def classes(self) -> list[str]:
        """In order; empty for a number."""
        return list(self.options.get("classes", []))


def check_targets(targets: Sequence[str], columns: Sequence[str]) -> None:
    """Raises ConfigError for a target that is no column, with the nearest, and for one that is named twice."""
    problems = []
    for target in targets:
        if target not in columns:
            folded = {column.casefold(): column for column in columns}
            close = difflib.get_close_matches(target.casefold(), list(folded), n=1, cutoff=0.5)
            near = f"; did you mean {shown(folded[close[0]])}?" if close else f"; there are {listed(columns, 20)}"
            hint = repeated_name(target, columns) or near
            problems.append(f"--targets: the table has no column {shown(target)}{hint}")
        elif targets.count(target) > 1:
            problems.append(f"--targets: column {shown(target)} is named twice")
    if not targets:
        problems.append(f"--targets: name at least one column; there are {listed(columns, 20)}")
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    if set(targets) >= set(columns):
        raise ConfigError("--targets: every column is a target, none is left to predict them from")


def propose_tasks(
    columns: Sequence[Profile], whole: Mapping[str, WholeColumn], tokens: Mapping[str, Profile] | None = None
) -> list[TaskProposal]:
    """A task for each target's column.

    Where the sample is not the whole table, `whole` has these columns in all rows. `tokens` are the columns of what the
    targets that are tags are of.

    Raises:
        DataError: a target is missing throughout, constant, different in every row, or of no kind.
    """
    taken: set[str] = set()
    tasks, problems = [], []
    for column in columns:
        name = unique_name(column.name, taken | _RESERVED, suffix="task")
        taken.add(name)
        values = whole[column.name].values if column.name in whole else column.values
        try:
            task = _of_tags(column, tokens[column.name]) if tokens and column.name in tokens else _task(column, values)
            tasks.append(replace(task, name=name, warnings=(*task.warnings, *_warnings(task, values))))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError("\n".join(problems), problems)
    return tasks


def words_for_missing(column: Profile) -> dict[str, int]:
    """The values of a text label that say that there is none, such as nan or N/A, with their rows."""
    if column.numbers is not None or column.listed:
        return {}
    words = {value: rows for value, rows in column.values.items() if value.strip().lower() in CERTAIN_MARKERS | {""}}
    return words if len(column.values) - len(words) >= 2 else {}


def label_of(task: TaskProposal) -> Label | None:
    """The task's labels in the sample's rows; None where a row has several."""
    column = task.column
    if task.form in ("classes", "tags", "box"):
        return None
    if KINDS[task.kind].is_numeric:
        numbers = column.numbers if column.numbers is not None else np.full(column.rows, np.nan)
        present = np.isfinite(numbers) & ((numbers >= 0) if task.form == "count" else True)
        return Label(np.where(present, numbers, 0.0), present, 0)
    place = {text: index for index, text in enumerate(task.classes)}
    distinct = column.array.dictionary_encode().dictionary.to_pylist()
    # The last one is of rows without a value, whose code is -1.
    values = np.array([*(place.get(as_text(value), -1) for value in distinct), -1])[column.codes]
    return Label(np.maximum(values, 0), values >= 0, len(task.classes))


def multi_hot(task: TaskProposal) -> tuple[np.ndarray, np.ndarray]:
    """Of a multilabel task: bool [rows, classes], and bool [rows], whether all of a row's values are known."""
    column = task.column
    place = {text: index for index, text in enumerate(task.classes)}
    applies = np.zeros((column.rows, len(place)), bool)
    known = np.ones(column.rows, bool)
    separator = task.options.get("separator")
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


# --- one target ---------------------------------------------------------------------------------------------------


def _task(column: Profile, values: Mapping[str, int]) -> TaskProposal:
    """The task of a column with these different values, without its name."""
    if not column.present:
        raise _refusal(column, "no row has a value; choose another target")
    if column.listed:
        return _of_lists(column)
    if len(values) == 1:
        only = shown(next(iter(values)))
        raise _refusal(column, f"constant, {only} in every row: there is nothing to learn; choose another target")
    if is_row_number(column):
        raise _refusal(column, "different in every row, a number that only grows or falls: it is an identifier")
    if time_form_of(column):
        raise _refusal(column, "points in time, which no kind of task predicts; make a number of it, such as hours")
    return _of_text(column, values) if column.numbers is None else _of_numbers(column, values)


def _refusal(column: Profile, reason: str) -> DataError:
    return DataError(f"target {shown(column.name)}: {reason}")


def _warnings(task: TaskProposal, values: Mapping[str, int]) -> list[str]:
    column, who = task.column, f"target {shown(task.label)}"
    warnings = []
    if column.missing and not column.listed:
        rows = f"{column.missing:,} of {column.rows:,} rows"
        warnings.append(f"{who}: missing in {rows}, which are masked for it")
    if task.form == "class":
        warnings += _doubtful_classes(task, values)
        counts = {name: values.get(name, 0) for name in task.classes}
        total = sum(counts.values())
        rarest = min(counts, key=lambda name: counts[name])
        share = counts[rarest] / total
        if share < min(0.1, 0.6 / len(counts)):
            warnings.append(
                f"{who}: imbalanced, class {shown(rarest)} is {100 * share:.2g} % of the labels "
                f"({counts[rarest]:,} of {total:,}); watch auc rather than accuracy, and see `class_weights: balanced`"
            )
    return warnings


def _doubtful_classes(task: TaskProposal, values: Mapping[str, int]) -> list[str]:
    """Warnings of classes that may mean a missing label, or the same as another one."""
    who = f"target {shown(task.label)}"
    missing, alike = doubtful_classes(task.classes)
    warnings = [
        f"{who}: class {shown(value)} ({values.get(value, 0):,} rows) may stand for a missing label; if it does, "
        f"take it out of classes and write data.null_values: {{{task.label}: [{shown(value)}]}}"
        for value in missing
    ]
    for variants in alike:
        names = ", ".join(f"{shown(value)} ({values.get(value, 0):,} rows)" for value in variants)
        warnings.append(f"{who}: {names} differ in case or blanks only and are separate classes; write them alike")
    return warnings


def _of_tags(column: Profile, tokens: Profile) -> TaskProposal:
    """Its `sequence` is the column of the tokens, until their feature has a name."""
    classes = values_in(column)
    reason = f"{len(classes)} different tags, as many in each row as {shown(tokens.name)} has tokens"
    options = {"sequence": tokens.name, "classes": classes}
    return TaskProposal(column, "sequence_tags", reason, options if column.listed else {"separator": " ", **options})


def _of_box(column: Profile) -> TaskProposal | None:
    """The task of lists of four shares of an image, the upper and left edges before the lower and right ones."""
    boxes = boxes_of(column)
    if boxes is None or not ((boxes >= 0) & (boxes <= 1)).all() or not (boxes[:, :2] < boxes[:, 2:]).all():
        return None
    return TaskProposal(column, "box", "lists of [top, left, bottom, right] as shares of an image, by their values")


def boxes_of(column: Profile) -> np.ndarray | None:
    """float64 [present rows, 4]; None if a row has another number of values."""
    rows = [row for row in column.array.to_pylist() if row]
    return np.array(rows, np.float64) if all(len(row) == 4 and None not in row for row in rows) else None


def _of_lists(column: Profile) -> TaskProposal:
    if column.kind == "float":
        if box := _of_box(column):
            return box
        raise _refusal(column, "lists of numbers are no label; make a column of each")
    flat, _ = flat_values(column.array)
    classes = sorted({as_text(value) for value in flat.unique().to_pylist() if value is not None})
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise _refusal(column, f"{len(classes):,} different values in its lists; 2 to {MOST_CLASSES} can be classes")
    return TaskProposal(column, "multilabel", f"lists of {len(classes)} values", {"classes": classes})


def _of_text(column: Profile, values: Mapping[str, int]) -> TaskProposal:
    markers = markers_among_numbers(values)
    if len(values) - len(markers) > MOST_NUMBERED_CLASSES and markers:
        words = ", ".join(map(shown, markers))
        raise _refusal(column, f"numbers, but for {words}: leave these cells empty, then they are masked")
    if separated := _separated(column, values):
        return separated
    if len(values) > MOST_CLASSES or len(values) > 0.5 * column.present:
        raise _too_many_classes(column, values, "text")
    if len(values) == 2:
        return _binary(column, values)
    return TaskProposal(column, "multiclass", f"text, {len(values)} values", {"classes": sorted(values)})


def _too_many_classes(column: Profile, values: Mapping[str, int], what: str) -> DataError:
    everyone = len(column.values) == column.present
    count = "different in every row" if everyone else f"{len(values):,} different values"
    return _refusal(
        column,
        f"{what}, {count}; at most {MOST_CLASSES} classes of several rows each are proposed: choose another target, "
        "group its values, or write the task by hand (kind: multiclass, classes: [...])",
    )


def _separated(column: Profile, values: Mapping[str, int]) -> TaskProposal | None:
    """The task of several classes in one string: few parts, in many combinations."""
    for separator in _SEPARATORS:
        if sum(count for value, count in values.items() if separator in value) < 0.2 * sum(values.values()):
            continue
        classes = sorted({part.strip() for value in values for part in value.split(separator) if part.strip()})
        if 2 <= len(classes) <= MOST_CLASSES and len(classes) < len(values) and max(map(len, classes)) <= 40:
            reason = f"text, {len(classes)} values in combinations, with {shown(separator)} between them"
            return TaskProposal(column, "multilabel", reason, {"classes": classes, "separator": separator})
    return None


def _binary(column: Profile, values: Mapping[str, int]) -> TaskProposal:
    """The positive class comes second: one that says yes, else the rarer one."""
    known = [value for value in values if value.strip().lower() in _POSITIVE]
    if all(map(is_number, values)):
        positive, why = max(values, key=float), "as the larger one"
    elif len(known) == 1:
        positive, why = known[0], "by its meaning"
    else:
        positive, why = min(values, key=lambda value: (values[value], value)), "as the rarer one"
    negative = next(value for value in values if value != positive)
    reason = f"two values; {shown(positive)} is positive, {why}"
    return TaskProposal(column, "binary", reason, {"classes": [negative, positive]})


def _of_numbers(column: Profile, values: Mapping[str, int]) -> TaskProposal:
    known = column.known
    if np.isinf(known).any():
        raise _refusal(column, f"infinite in {int(np.isinf(known).sum()):,} rows: correct them, or leave them empty")
    whole = column.whole and not column.unit and all(re.fullmatch(r"-?\d+", value) for value in values)
    if whole and len(values) == 2:
        return _binary(column, values)
    counts = bool(set(column.tokens) & COUNT_TOKENS) and known.min() >= 0
    if whole and counts:
        return TaskProposal(column, "count", f"whole numbers from 0 to {known.max():g}, a count by its name")
    frequent = whole and len(known) / len(values) >= FEWEST_ROWS_OF_CLASS
    classes = _numbered_classes(column, sorted(values, key=int)) if frequent else None
    return classes or _regression(column, numbered=whole)


def _numbered_classes(column: Profile, ordered: list[str]) -> TaskProposal | None:
    """The task where whole numbers are classes: few of them, or codes by the column's name."""
    count, first = len(ordered), int(ordered[0])
    few = count <= MOST_NUMBERED_CLASSES and int(ordered[-1]) - first == count - 1
    which = f"{count} whole numbers from {ordered[0]} to {ordered[-1]}"
    options = {"classes": ordered}
    if few and set(column.tokens) & ORDER_TOKENS:
        return TaskProposal(column, "ordinal", f"{which}, which have an order by the name", options)
    if few and first in (0, 1):
        return TaskProposal(column, "multiclass", f"{which}, taken for classes", options)
    if names_a_code(column.name):
        if count > MOST_CLASSES:
            raise _too_many_classes(column, column.values, "codes by its name")
        return TaskProposal(column, "multiclass", f"{which}, codes by the name", options)
    if count > MOST_CODES:
        return None
    warning = (
        f"target {shown(column.name)}: {', '.join(ordered)} are taken for classes, as they are few; if they measure "
        "something, write kind: regression and no classes"
    )
    return TaskProposal(column, "multiclass", f"{which}, taken for classes", options, (warning,))


def _regression(column: Profile, numbered: bool) -> TaskProposal:
    known, reason, loss = column.known, column.range, "mae"
    mode, rows = next(iter(column.values.items()))
    if rows > MODE_SHARE * len(known):
        share = 100 * rows / len(known)
        reason += f"; {share:.0f} % are {shown(mode)}, which no absolute error beats: the squared loss aims at the mean"
        loss = "mse"
    else:
        skewed = f"; skewness {column.skewness:.1f}" if abs(column.skewness) > 1 else ""
        reason += f"{skewed}: the absolute loss aims at the median, as its gate does"
    options: dict[str, Any] = {"loss": loss, **({"unit": column.unit} if column.unit else {})}
    if offset := offset_against_rounding(known, "regression"):
        options["offset"] = offset
    return TaskProposal(column, "regression", reason, options, _perhaps_codes(column) if numbered else ())


def _perhaps_codes(column: Profile) -> tuple[str, ...]:
    """A warning where each of many whole numbers from 0 or 1 on comes several times, as codes of classes do."""
    known, count = column.known, len(column.values)
    dense = known.min() in (0, 1) and known.max() - known.min() == count - 1
    if count > MOST_NUMBERED_CLASSES and not (dense and len(known) / count >= FEWEST_ROWS_OF_CLASS):
        return ()
    return (
        f"target {shown(column.name)}: {count:,} whole numbers are predicted as a number (regression); if they are "
        "codes of classes, write kind: multiclass and classes: [...]",
    )
