"""How rows are split into train and eval: by time where a column holds times, else by a hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from components.example_gen.splits import eval_rows
from janus_core.tables.batch import Batch
from janus_core.tables.config import HashSplit, Split, TimeSplit
from janus_core.tables.times import parse_times
from pipeline.commands.init.features import Guess, dropped
from pipeline.commands.init.leakage import Label
from pipeline.commands.init.profile import AMBIGUOUS, Profile, TimeForm, time_form_of
from pipeline.commands.init.sample import Sample
from pipeline.commands.init.whole_table import WholeColumn
from pipeline.commands.init.wording import counted, listed, shown

EVAL_SHARE = 0.2
EVAL_SHARE_OF_FEW = 0.3
FEW_ROWS = 500
FEWEST_TIMES = 10
SEEDS = 200
MOST_UNSEEN = 0.5
_WIDE = 500
"""From this number of columns on, other seeds are not tried: each hashes every cell."""


@dataclass(frozen=True)
class SplitProposal:
    """A proposed split.

    Attributes:
        seed: the pipeline's seed that it goes with.
        evaluated: bool [rows], which of the sample's rows it gives to eval.
        notes: why columns of times do not split the table.
    """

    split: Split
    seed: int
    reason: str
    evaluated: np.ndarray
    notes: tuple[str, ...] = ()


def time_column(columns: Sequence[Profile]) -> tuple[Profile | None, list[str]]:
    """The best column of times to split by, and why other columns of times cannot be split by."""
    fit, notes = [], []
    for column in columns:
        times = time_form_of(column)
        if times is None:
            continue
        if reason := _unfit(column, times):
            notes.append(f"no split by {shown(column.name)}: {reason}")
        else:
            fit.append((times.form in ("epoch", "yyyymmdd"), -len(column.values), column))
    return min(fit, key=lambda entry: entry[:2])[-1] if fit else None, notes


def _unfit(column: Profile, times: TimeForm) -> str | None:
    """Why the table cannot be split by a column of times; None if it can."""
    if times.form == AMBIGUOUS:
        example = next(iter(column.values))
        return (
            f"whether {shown(example)} begins with the day or the month is not certain; if with the day, write "
            f'split: {{by: time, column: {column.name}, format: "%d/%m/%Y", eval_from: …}}'
        )
    if times.odd:
        return f"{listed(list(times.odd))} in {counted(sum(times.odd.values()))} is no time"
    if column.missing:
        return f"it is missing in {column.missing:,} of {column.rows:,} rows"
    if len(column.values) < FEWEST_TIMES:
        return f"it holds {len(column.values)} different times only"
    return None


def propose_split(
    sample: Sample,
    time: Profile | None,
    labels: Mapping[str, Label],
    whole: Mapping[str, WholeColumn],
    unfit: Sequence[str] = (),
) -> SplitProposal:
    """By a column of times if it leaves labels of every class in both parts, else by a hash of all columns.

    `time` is the best column of times, and `unfit` says why others cannot be split by. If the sample is not the whole
    table, `whole` has the columns in all rows.
    """
    notes = [*unfit]
    if time:
        missing = whole[time.name].missing if time.name in whole else 0
        by_time = None if missing else _by_time(sample, time)
        lacking = _lacking(by_time.evaluated, labels) if by_time else "too many rows share one time"
        if by_time and lacking is None:
            return replace(by_time, notes=tuple(notes))
        reason = f"it is missing in {missing:,} rows of the table" if missing else lacking
        notes.append(f"no split by {shown(time.name)}: {reason}")
    why, tried = "no column was recognised as a time", ""
    if notes:
        why, tried = "no column of times can split the table", f" ({notes[0].partition(', write')[0]})"
    by_hash = _by_hash(sample, labels, why)
    return replace(by_hash, reason=by_hash.reason + tried, notes=tuple(notes))


def _by_hash(sample: Sample, labels: Mapping[str, Label], why: str) -> SplitProposal:
    """By a hash of all columns, so that rows that are the same stay together.

    Of a small table, the seed is the first whose parts have about the wanted sizes, and every class in both.
    """
    share = EVAL_SHARE_OF_FEW if sample.complete and sample.rows < FEW_ROWS else EVAL_SHARE
    split = HashSplit(by="hash", eval_fraction=share)
    batch = Batch({n: c for n, c in sample.columns.items() if not pa.types.is_null(c.type)}, sample.rows, str)
    reason = f"by a hash of the whole row: {why}; {100 * share:.0f} % of the rows are evaluated"
    best: tuple[float, int, np.ndarray] | None = None
    for seed in range(SEEDS if sample.rows < 5000 and len(sample.columns) < _WIDE else 1):
        evaluated, _ = eval_rows(batch, split, seed)
        away = abs(evaluated.mean() - share) / share
        flaw = away + (10.0 if _lacking(evaluated, labels) else 0.0)
        if best is None or flaw < best[0]:
            best = (flaw, seed, evaluated)
        if flaw < 0.1:
            break
    assert best is not None
    if best[1]:
        reason += f"; seed {best[1]} is the first whose parts have these sizes, and every class"
    return SplitProposal(split, best[1], reason, best[2])


def without_unseen(proposed: SplitProposal, column: Profile, guessed: Guess) -> Guess:
    """The guess; or to leave the column out, where most values that a split by time evaluates are not in training.

    A month, a year or a running total is such a column: a model could only extrapolate from it.
    """
    if not isinstance(proposed.split, TimeSplit) or guessed.kind not in ("numeric", "cyclical", "categorical"):
        return guessed
    trained, evaluated = ~proposed.evaluated, proposed.evaluated
    if column.numbers is not None and guessed.kind == "numeric":
        known = column.numbers[trained & np.isfinite(column.numbers)]
        asked = column.numbers[evaluated & np.isfinite(column.numbers)]
        if not known.size or not asked.size:
            return guessed
        unseen = float(((asked < known.min()) | (asked > known.max())).mean())
    else:
        unseen = float((~np.isin(column.codes[evaluated], np.unique(column.codes[trained]))).mean())
    if unseen <= MOST_UNSEEN:
        return guessed
    return dropped(
        f"with the split by time, {100 * unseen:.0f} % of the evaluated rows have a value that training never sees"
    )


def _by_time(sample: Sample, column: Profile) -> SplitProposal | None:
    start = _start(column)
    if start is None:
        return None
    times = time_form_of(column) if column.kind == "bytes" else None
    split = TimeSplit(by="time", column=column.name, eval_from=start, format=times.format if times else None)
    evaluated, _ = eval_rows(Batch({column.name: column.array}, sample.rows, str), split, 0)
    share = float(evaluated.mean())
    if not 0.05 <= share <= 0.5:
        return None
    reason = (
        f"by time, which {shown(column.name)} holds: the newest {100 * share:.0f} % of the rows are evaluated, "
        "since predictions are made for the future"
    )
    return SplitProposal(split, 0, reason, evaluated)


def _start(column: Profile) -> Any:
    """The first time of the newest fifth of the rows; only its date, if that splits them about as well."""
    if column.numbers is not None:
        return float(np.quantile(column.numbers, 1 - EVAL_SHARE, method="higher"))
    form = time_form_of(column)
    times = parse_times(column.array.cast(pa.string()), form.format if form else None)
    # Times of one zone are compared by its clock, those of several zones as instants.
    offsets = np.unique(times.local - times.instant)
    ordered = np.sort(times.local if len(offsets) == 1 else times.instant).astype("datetime64[us]")
    zone = "" if len(offsets) == 1 else "Z"
    exact = ordered[int(len(ordered) * (1 - EVAL_SHARE))]
    day = exact.astype("datetime64[D]")
    if 0.1 <= float((ordered >= day).mean()) <= 0.3:
        return f"{day}T00:00{zone}" if zone else str(day)
    return str(exact).removesuffix(".000000") + zone


def _lacking(evaluated: np.ndarray, labels: Mapping[str, Label]) -> str | None:
    """What a part has too little of; None if nothing."""
    for name, label in labels.items():
        for part, rows in (("train", ~evaluated & label.present), ("eval", evaluated & label.present)):
            if rows.sum() < 2:
                return f"{part} would have {int(rows.sum())} labels of target '{name}'"
            if label.classes:
                # A class that is rarer than this may be absent from any split.
                counts = np.bincount(label.values[label.present], minlength=label.classes)
                found = np.bincount(label.values[rows], minlength=label.classes)
                if ((found == 0) & (counts >= 4)).any():
                    return f"{part} would lack a class of target '{name}'"
            elif np.ptp(label.values[rows]) == 0:
                return f"{part} would have one value only of target '{name}'"
    return None
