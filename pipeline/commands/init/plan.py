"""All that is proposed for a table, and how it comes about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from janus_core.errors import DataError
from janus_core.tables.cells import CellForm
from janus_core.tables.config import TimeSplit
from pipeline.commands.init import gates as gate_rules
from pipeline.commands.init import leakage, split
from pipeline.commands.init.columns import Guess, Profile, counted, guess, profile, repeated_rows, shown
from pipeline.commands.init.gates import TaskGates
from pipeline.commands.init.leakage import Label, Score
from pipeline.commands.init.names import unique_name
from pipeline.commands.init.read import Sample, WholeColumn, read_whole_columns
from pipeline.commands.init.sizes import Sizes, sizes_for
from pipeline.commands.init.split import Division
from pipeline.commands.init.targets import Target, check_targets, guess_targets, label_of, words_for_missing
from pipeline.commands.init.written import Written, data_as_written

MOST_FEATURES = 250
"""Of a wider table, the columns that tell most of a target by themselves are taken."""
FEW_ROWS = 100


@dataclass(frozen=True)
class ColumnPlan:
    """A column that is no target: the feature that it makes, or why it makes none.

    Attributes:
        column: the column.
        name: the feature's name.
        guess: its kind, reason and keys.
        scores: target's column → how well this one tells it by itself.
        leaking: the feature that it would make if it did not leak a target; None where it does not.
    """

    column: Profile
    name: str
    guess: Guess
    scores: Mapping[str, Score] = field(default_factory=dict)
    leaking: Guess | None = None

    @property
    def used(self) -> bool:
        """Whether it is a feature."""
        return self.guess.kind != "dropped"

    @property
    def strength(self) -> float:
        """The best of its scores, 0 to 1."""
        return max((score.strength for score in self.scores.values()), default=0.0)


@dataclass(frozen=True)
class Plan:
    """What the configuration and the schema are written from.

    Attributes:
        name: the pipeline's name.
        sample: the rows that it was guessed from.
        columns: all columns but the targets', in the table's order.
        targets: the tasks.
        target_columns: the targets' columns, in the tasks' order.
        division: the split.
        gates: task's name → its gates.
        sizes: of the network and the training.
        warnings: what a person should look at.
    """

    name: str
    sample: Sample
    columns: list[ColumnPlan]
    targets: list[Target]
    target_columns: list[Profile]
    division: Division
    gates: dict[str, TaskGates]
    sizes: Sizes
    warnings: list[str]

    @property
    def features(self) -> list[ColumnPlan]:
        """The columns that are features."""
        return [column for column in self.columns if column.used]

    @property
    def leaks(self) -> list[ColumnPlan]:
        """The columns that are left out for leaking, as the features that they would be."""
        return [replace(column, guess=column.leaking) for column in self.columns if column.leaking]

    @property
    def proposed(self) -> list[ColumnPlan]:
        """The features, and those that would be."""
        return [*self.features, *self.leaks]


def _untold(doing: str) -> None:
    del doing


def make_plan(name: str, sample: Sample, target_names: Sequence[str], status: Callable[[str], None] = _untold) -> Plan:
    """Guesses everything.

    Args:
        name: the pipeline's.
        sample: rows of the table.
        target_names: columns to predict.
        status: told what is under way.

    Raises:
        ConfigError: a target is no column of the table.
        DataError: a target cannot be learnt, or no column is left to learn from.
    """
    check_targets(target_names, list(sample.columns))
    sample = _without_words_for_missing(sample, target_names)
    status(f"counting values of {len(sample.columns):,} columns")
    profiles = {column: profile(column, array, sample.written.get(column)) for column, array in sample.columns.items()}
    unusable = [
        f"target {shown(column)}: {sample.unusable[column]}; make columns of numbers or text of it"
        for column in target_names
        if column in sample.unusable
    ]
    if unusable:
        raise DataError("\n".join(unusable), unusable)
    target_columns = [profiles[column] for column in target_names]
    others = [column for column in profiles.values() if column.name not in target_names]
    times, unfit = split.time_columns(others)
    if not sample.complete:
        status("reading all rows for the targets' values")
    whole = _whole(sample, [*target_columns, *times[:1]])
    targets = guess_targets(target_columns, whole)
    labels = {
        target.column: label
        for target, column in zip(targets, target_columns, strict=True)
        if (label := label_of(target, column)) is not None
    }
    division = split.propose(sample, times[:1], labels, whole, unfit)
    columns = _columns(others, sample.unusable, labels, division, status)
    if not any(column.used for column in columns):
        reasons = "; ".join(f"{shown(plan.column.name)}: {plan.guess.reason}" for plan in columns[:10])
        raise DataError(f"no column of {sample.data.path} makes a feature ({reasons})")
    gates = {
        target.name: gate_rules.propose(target, column, labels.get(target.column), division.evaluated)
        for target, column in zip(targets, target_columns, strict=True)
    }
    rows = int(sample.total_rows * (1 - division.evaluated.mean()))
    plan = Plan(name, sample, columns, targets, target_columns, division, gates, sizes_for(rows), [])
    plan.warnings.extend(_warnings(plan, list(profiles.values())))
    return plan


def _without_words_for_missing(sample: Sample, targets: Sequence[str]) -> Sample:
    """The sample, in which values of text labels such as nan are missing, as they will be in a run."""
    if sample.data.format != "csv":
        return sample
    words = {name: found for name in targets if (found := words_for_missing(profile(name, sample.columns[name])))}
    if not words:
        return sample
    forms = {name: CellForm(tuple(found)) for name, found in words.items()}
    columns = {name: form.known(sample.columns[name].cast(pa.string())) for name, form in forms.items()}
    known = {**sample.columns, **{name: cells.cast(pa.binary()) for name, cells in columns.items()}}
    written = {**sample.written, **{name: Written(forms[name], found) for name, found in words.items()}}
    return replace(sample, data=data_as_written(sample.data, known, written), columns=known, written=written)


def _whole(sample: Sample, columns: Sequence[Profile]) -> dict[str, WholeColumn]:
    """What every row must keep to, where the sample is not the whole table."""
    if sample.complete:
        return {}
    return read_whole_columns(sample, [column.name for column in columns if not column.listed and column.present])


def _columns(
    others: Sequence[Profile],
    unusable: Mapping[str, str],
    labels: Mapping[str, Label],
    division: Division,
    status: Callable[[str], None],
) -> list[ColumnPlan]:
    names: set[str] = set()
    plans = []
    for place, column in enumerate(others, 1):
        status(f"column {place:,} of {len(others):,}: what it tells of the targets")
        guessed = split.unseen_under(division, column, guess(column))
        if column.name in unusable:
            guessed = Guess("dropped", unusable[column.name])
        name = unique_name(column.name, names)
        scores = {}
        if guessed.kind != "dropped":
            names.add(name)
            found = {target: leakage.score(column, label) for target, label in labels.items()}
            scores = {target: score for target, score in found.items() if score is not None}
        plans.append(ColumnPlan(column, name, guessed, scores))
    return _strongest(_without_leaks(plans))


def _without_leaks(plans: list[ColumnPlan]) -> list[ColumnPlan]:
    """The plans with columns that nearly determine a target left out, unless no other is left to learn from."""
    if not any(plan.used and not leaks_of(plan) for plan in plans):
        return plans
    return [
        replace(plan, guess=Guess("dropped", f"LEAKAGE? alone tells {leaks_of(plan)}"), leaking=plan.guess)
        if plan.used and leaks_of(plan)
        else plan
        for plan in plans
    ]


def _strongest(plans: list[ColumnPlan]) -> list[ColumnPlan]:
    used = [plan for plan in plans if plan.used]
    if len(used) <= MOST_FEATURES:
        return plans
    kept = {id(plan) for plan in sorted(used, key=lambda plan: -plan.strength)[:MOST_FEATURES]}
    reason = f"not among the {MOST_FEATURES} columns that tell most of a target by themselves"
    return [
        ColumnPlan(plan.column, plan.name, Guess("dropped", reason), plan.scores)
        if plan.used and id(plan) not in kept
        else plan
        for plan in plans
    ]


# --- warnings ---------------------------------------------------------------------------------------------------


def _warnings(plan: Plan, profiles: Sequence[Profile]) -> list[str]:
    warnings = [warning for target in plan.targets for warning in target.warnings]
    warnings += _leaks(plan)
    for used, label in [*((c, True) for c in plan.target_columns), *((c.column, False) for c in plan.features)]:
        warnings += _unread(used.name, used.written, label) if used.written else []
    repeated = repeated_rows(profiles)
    if repeated:
        part = "; the split keeps equal rows together" if not isinstance(plan.division.split, TimeSplit) else ""
        share = 100 * repeated / plan.sample.rows
        rows = "1 row is" if repeated == 1 else f"{repeated:,} rows are"
        warnings.append(f"duplicates: {rows} the same as an earlier one ({share:.1f} %){part}")
    if plan.sample.rows < FEW_ROWS:
        warnings.append(f"{plan.sample.rows} rows are few: the metrics of another split may be quite different")
    groups = [c for c in plan.features if c.guess.reason.startswith("identifies") and not c.column.missing]
    if groups and not isinstance(plan.division.split, TimeSplit):
        column = shown(groups[0].column.name)
        warnings.append(f"rows that share a {column} may be in both parts; `key: [{column}]` in data.split parts them")
    return [*warnings, *plan.division.notes]


def _unread(name: str, written: Written, label: bool) -> list[str]:
    """Which values of a column count as missing, where that is not certain to be meant."""
    warnings = []
    for value, rows in written.words.items() if label else ():
        warnings.append(
            f"target {shown(name)}: {shown(value)} in {counted(rows)} counts as missing, by data.null_values"
        )
    for value, rows in written.odd.items():
        place = f" ({written.where[value]})" if value in written.where else ""
        what = "is no number and counts as missing, by data.null_values"
        warnings.append(f"{shown(name)}: {shown(value)} in {counted(rows)}{place} {what}")
    if written.ambiguous:
        warnings.append(
            f"{shown(name)}: the comma of {shown(written.ambiguous)} is read as one between thousands; if it is a "
            f'decimal comma, write data.decimal: {{{name}: ","}} instead of data.thousands'
        )
    return warnings


def _leaks(plan: Plan) -> list[str]:
    left_out = "it is left out; if it is known when a prediction is needed, take the # before it away in `features`"
    kept = "it is kept, as no other column is left; is it known when a prediction is needed?"
    return [
        f"leakage? {shown(column.column.name)} alone tells {leaks_of(column)} on held-out rows: "
        f"{left_out if column.leaking else kept}"
        for column in plan.columns
        if leaks_of(column) and (column.leaking or column.used)
    ]


def leaks_of(column: ColumnPlan) -> str:
    """`target 'a' with auc 1.000`, of every target that the column nearly determines; empty if of none."""
    return ", ".join(f"target {shown(t)} with {words(score)}" for t, score in column.scores.items() if score.leaks)


def words(score: Score) -> str:
    """`auc 0.998`."""
    return f"{score.metric} {score.value:.3f}"
