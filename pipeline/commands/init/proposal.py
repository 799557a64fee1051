"""All that is proposed for a table: features, tasks, split, gates and sizes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from janus_core.errors import DataError
from janus_core.tables.cells import CellForm
from janus_core.tables.config import TimeSplit
from pipeline.commands.init import leakage
from pipeline.commands.init.column_names import unique_name
from pipeline.commands.init.features import Guess, dropped, guess_feature, guess_sequence
from pipeline.commands.init.gates import TaskGates, propose_gates
from pipeline.commands.init.leakage import Label, Score
from pipeline.commands.init.media import tokens_beside
from pipeline.commands.init.number_forms import NumberForm, with_number_forms
from pipeline.commands.init.profile import Profile, profile, repeated_rows
from pipeline.commands.init.sample import Sample
from pipeline.commands.init.split import SplitProposal, propose_split, time_column, without_unseen
from pipeline.commands.init.tasks import TaskProposal, check_targets, label_of, propose_tasks, words_for_missing
from pipeline.commands.init.whole_table import WholeColumn, find_odd_values, read_whole_columns
from pipeline.commands.init.wording import counted, listed, shown

MOST_FEATURES = 250
"""Of a wider table, the columns that predict a target best by themselves become features."""
FEW_ROWS = 100


@dataclass(frozen=True)
class Network:
    """Keys of `model` and `training` with their values, and the reason for them."""

    model: Mapping[str, Any]
    training: Mapping[str, Any]
    reason: str


def network_for(rows: int, by_time: bool) -> Network:
    """The network and its training, for a training split with this number of rows.

    The keys beyond sizes are those that `python -m benchmarks.ablation` shows to help. On a large table of which later
    rows are to be predicted, only `members` does (docs/results.md).
    """
    sizes = yaml.safe_load((Path(__file__).parent / "templates/networks.yaml").read_text("utf-8"))
    size = next(size for size in sizes if rows <= size.get("most_rows", rows))
    keys = size if by_time else size.get("by_hash", size)
    return Network(keys["model"], keys["training"], size["reason"])


@dataclass(frozen=True)
class ColumnProposal:
    """A column that is no target: the feature that it makes, or why it makes none.

    Attributes:
        scores: target's column → how well this one predicts it by itself.
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
    def best(self) -> tuple[str, Score] | None:
        """The target that it predicts best, and how well."""
        return max(self.scores.items(), key=lambda item: item[1].strength, default=None)

    @property
    def leaks(self) -> str:
        """Every target that it nearly determines, such as `target 'a' with auc 1.000`; empty if there is none."""
        return ", ".join(f"target {shown(target)} with {score}" for target, score in self.scores.items() if score.leaks)


@dataclass(frozen=True)
class Proposal:
    """What the configuration and the schema are written from.

    Attributes:
        columns: all columns but the targets', in the table's order.
    """

    name: str
    sample: Sample
    columns: list[ColumnProposal]
    tasks: list[TaskProposal]
    split: SplitProposal
    gates: dict[str, TaskGates]
    network: Network
    warnings: list[str]

    @property
    def features(self) -> list[ColumnProposal]:
        """The columns that are features."""
        return [column for column in self.columns if column.used]

    @property
    def leaks(self) -> list[ColumnProposal]:
        """The columns that are left out for leaking, as the features that they would be."""
        return [replace(column, guess=column.leaking) for column in self.columns if column.leaking]


def propose(
    name: str, sample: Sample, targets: Sequence[str], status: Callable[[str], None] = lambda doing: None
) -> Proposal:
    """Guesses everything.

    Raises:
        ConfigError: a target is no column of the table.
        DataError: a target cannot be learnt, or no column is left to learn from.
    """
    check_targets(targets, list(sample.columns))
    sample = _without_words_for_missing(replace(sample, forms=find_odd_values(sample)), targets)
    status(f"counting values of {len(sample.columns):,} columns")
    profiles = {column: profile(column, array, sample.forms.get(column)) for column, array in sample.columns.items()}
    unusable = [
        f"target {shown(column)}: {sample.unusable[column]}; make columns of numbers or text of it"
        for column in targets
        if column in sample.unusable
    ]
    if unusable:
        raise DataError("\n".join(unusable), unusable)
    target_columns = [profiles[column] for column in targets]
    others = [column for column in profiles.values() if column.name not in targets]
    time, unfit = time_column(others)
    whole: dict[str, WholeColumn] = {}
    if not sample.complete:
        status("reading all rows for the targets' values")
        needed = [*target_columns, *([time] if time else [])]
        whole = read_whole_columns(sample, [c.name for c in needed if not c.listed and c.present])
    tokens = {column.name: found for column in target_columns if (found := tokens_beside(column, others))}
    tasks = propose_tasks(target_columns, whole, tokens)
    labels = {task.label: label for task in tasks if (label := label_of(task)) is not None}
    split = propose_split(sample, time, labels, whole, unfit)
    columns = _columns(others, sample, labels, split, tokens, status)
    named = {column.column.name: column.name for column in columns if column.used}
    tasks = [_with_sequence(task, named) for task in tasks]
    _require_image(tasks, columns)
    if not any(column.used for column in columns):
        reasons = "; ".join(f"{shown(column.column.name)}: {column.guess.reason}" for column in columns[:10])
        raise DataError(f"no column of {sample.data.path} makes a feature ({reasons})")
    scale = sample.total_rows / sample.rows
    gates = {task.name: propose_gates(task, labels.get(task.label), split.evaluated, scale) for task in tasks}
    training_rows = int(sample.total_rows * (1 - split.evaluated.mean()))
    network = network_for(training_rows, isinstance(split.split, TimeSplit))
    proposal = Proposal(name, sample, columns, tasks, split, gates, network, [])
    return replace(proposal, warnings=_warnings(proposal, repeated_rows(list(profiles.values()))))


def _without_words_for_missing(sample: Sample, targets: Sequence[str]) -> Sample:
    """The sample, in which values of text labels such as nan are missing, as they will be in a run."""
    if sample.data.format != "csv":
        return sample
    forms, columns = dict(sample.forms), dict(sample.columns)
    for name in targets:
        if words := words_for_missing(profile(name, columns[name])):
            forms[name] = NumberForm(CellForm(tuple(words)), words)
            columns[name] = forms[name].cells.known(columns[name].cast(pa.string())).cast(pa.binary())
    if len(forms) == len(sample.forms):
        return sample
    return replace(sample, data=with_number_forms(sample.data, columns, forms), columns=columns, forms=forms)


def _columns(
    columns: Sequence[Profile],
    sample: Sample,
    labels: Mapping[str, Label],
    split: SplitProposal,
    tokens: Mapping[str, Profile],
    status: Callable[[str], None],
) -> list[ColumnProposal]:
    names: set[str] = set()
    proposals = []
    for place, column in enumerate(columns, 1):
        status(f"column {place:,} of {len(columns):,}: how well it predicts the targets")
        guess = without_unseen(split, column, guess_feature(column, sample.files))
        if column.name in sample.unusable:
            guess = dropped(sample.unusable[column.name])
        elif of_tokens := _guess_beside_tags(column, columns, tokens):
            guess = of_tokens
        name = unique_name(column.name, names)
        scores = {}
        if guess.kind != "dropped":
            names.add(name)
            found = {target: leakage.score(column, label) for target, label in labels.items()}
            scores = {target: score for target, score in found.items() if score is not None}
        proposals.append(ColumnProposal(column, name, guess, scores))
    return _best_only(_without_leaks(proposals))


def _guess_beside_tags(column: Profile, columns: Sequence[Profile], tokens: Mapping[str, Profile]) -> Guess | None:
    """What a column makes whose tokens have tags that are a target, or which has a tag for each of these tokens too."""
    tagged = [target for target, of in tokens.items() if of.name == column.name]
    if tagged:
        return guess_sequence(column, f"tokens in their order, each of which has a tag in {listed(tagged)}")
    of = tokens_beside(column, columns) if tokens else None
    target = next((target for target, other in tokens.items() if of and other.name == of.name), None)
    if target is None or of is None:
        return None
    return dropped(
        f"a tag for each token of {shown(of.name)}, as target {shown(target)} is, so perhaps a label as well: name "
        "it in --targets for a task of kind sequence_tags"
    )


def _with_sequence(task: TaskProposal, named: Mapping[str, str]) -> TaskProposal:
    """The task of tags with the feature's name in place of the column's."""
    if "sequence" not in task.options:
        return task
    column = task.options["sequence"]
    return replace(task, options={**task.options, "sequence": named.get(column, column)})


def _require_image(tasks: Sequence[TaskProposal], columns: Sequence[ColumnProposal]) -> None:
    boxes = [task.label for task in tasks if task.form == "box"]
    if boxes and not any(column.guess.kind == "image" for column in columns):
        raise DataError(f"target {shown(boxes[0])}: looks like a box in an image, but no column holds images")


def _without_leaks(columns: list[ColumnProposal]) -> list[ColumnProposal]:
    """Leaves out the columns that nearly determine a target, unless no other is left to learn from."""
    if not any(column.used and not column.leaks for column in columns):
        return columns
    return [
        replace(column, guess=dropped(f"LEAKAGE? alone predicts {column.leaks}"), leaking=column.guess)
        if column.used and column.leaks
        else column
        for column in columns
    ]


def _best_only(columns: list[ColumnProposal]) -> list[ColumnProposal]:
    """Leaves out the features that are not among the MOST_FEATURES best ones."""
    used = [column for column in columns if column.used]
    if len(used) <= MOST_FEATURES:
        return columns
    used.sort(key=lambda column: -column.best[1].strength if column.best else 0.0)
    others = {column.name for column in used[MOST_FEATURES:]}
    reason = f"not among the {MOST_FEATURES} columns that predict a target best by themselves"
    return [
        replace(column, guess=dropped(reason)) if column.used and column.name in others else column
        for column in columns
    ]


# --- warnings -----------------------------------------------------------------------------------------------------


def _warnings(proposal: Proposal, repeated: int) -> list[str]:
    by_time = isinstance(proposal.split.split, TimeSplit)
    warnings = [warning for task in proposal.tasks for warning in task.warnings]
    warnings += [_leak_warning(c) for c in proposal.columns if c.leaks and (c.leaking or c.used)]
    for task in proposal.tasks:
        warnings += _reading_warnings(task.column, a_target=True)
    for feature in proposal.features:
        warnings += _reading_warnings(feature.column, a_target=False)
    if repeated:
        part = "" if by_time else "; the split keeps equal rows together"
        share = 100 * repeated / proposal.sample.rows
        rows = "1 row is" if repeated == 1 else f"{repeated:,} rows are"
        warnings.append(f"duplicates: {rows} the same as an earlier one ({share:.1f} %){part}")
    if proposal.sample.rows < FEW_ROWS:
        warnings.append(f"{proposal.sample.rows} rows are few: another split may give quite different metrics")
    groups = [c for c in proposal.features if c.guess.reason.startswith("identifies") and not c.column.missing]
    if groups and not by_time:
        name = shown(groups[0].column.name)
        warnings.append(
            f"rows with the same {name} may be in both parts of the split; `key: [{name}]` in data.split keeps them "
            "together"
        )
    return [*warnings, *proposal.split.notes]


def _leak_warning(column: ColumnProposal) -> str:
    left_out = "it is left out; if it is known when a prediction is needed, remove the # before it in `features`"
    kept = "it is kept, as no other column is left; is it known when a prediction is needed?"
    return (
        f"leakage? {shown(column.column.name)} alone predicts {column.leaks} on held-out rows: "
        f"{left_out if column.leaking else kept}"
    )


def _reading_warnings(column: Profile, a_target: bool) -> list[str]:
    """Which values count as missing though they may be meant otherwise, and which comma may have been misread."""
    name, form = shown(column.name), column.form or NumberForm()
    warnings = []
    for value, rows in form.words.items() if a_target else ():
        warnings.append(f"target {name}: {shown(value)} in {counted(rows)} counts as missing, by data.null_values")
    for value, rows in form.odd.items():
        place = f" ({form.where[value]})" if value in form.where else ""
        what = "is no number and counts as missing, by data.null_values"
        warnings.append(f"{name}: {shown(value)} in {counted(rows)}{place} {what}")
    if form.ambiguous:
        warnings.append(
            f"{name}: the comma of {shown(form.ambiguous)} is read as one between thousands; if it is a decimal comma, "
            f'write data.decimal: {{{column.name}: ","}} instead of data.thousands'
        )
    return warnings
