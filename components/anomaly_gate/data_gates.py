"""The data gates: limits on rows, labels and missing values, each of which warns or ends the run."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from tfx.dsl.io import fileio

from components.anomaly_gate.column import Column
from components.anomaly_gate.config import DataGate, DataGatesConfig, LabelDriftGate
from components.statistics_gen.rows import LabelCounts, Rows
from janus_core.strict import StrictModel

TRAIN, EVAL = "train", "eval"
RESULT_FILE = "data_gates.json"
CHANCE = 3.29
"""Standard errors beyond which chance is no explanation: a probability of 0.001, both ways."""
CHANCE_KS = 1.95
"""The same for the Kolmogorov-Smirnov statistic."""
FEW_COMBINATIONS = 0.1
"""Where the features have fewer different rows than this share of all, equal rows are to be expected."""


class GatedData(StrictModel):
    """The gates, and the columns that they are about.

    Attributes:
        gates: the configuration.
        features: feature → column.
        tasks: task → label column.
        negative_if_empty: tasks of which an empty label means that no class applies.
    """

    gates: DataGatesConfig = DataGatesConfig()
    features: dict[str, str] = {}
    tasks: dict[str, str] = {}
    negative_if_empty: list[str] = []


class DataGateResult(BaseModel):
    """One limit.

    Attributes:
        gate: the key below `data_gates`.
        of: a feature or task; None for whole rows.
        split: train, eval, or both.
        value: what was measured; None where there was nothing to compare.
        limit: the least or the greatest that it may be.
        level: what follows where it is broken: ignore, warning or error.
        passed: whether it holds, also where nothing was compared.
        text: the numbers in words; with the remedy where it is broken; the reason where nothing was compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: str
    of: str | None = None
    split: str = "both"
    value: float | None
    limit: float
    level: str
    passed: bool
    text: str


@dataclass(frozen=True)
class SplitData:
    """A split.

    Attributes:
        count: its rows.
        columns: their statistics.
        rows: hashes and labels; None where StatisticsGen did not count them.
    """

    count: int
    columns: Mapping[str, Column]
    rows: Rows | None


def judge_data(
    train: SplitData, evaluated: SplitData, blessed: Mapping[str, LabelCounts] | None, gated: GatedData
) -> list[DataGateResult]:
    """All gates, those at level `ignore` aside.

    Args:
        train, evaluated: the splits.
        blessed: label column → the labels of the last blessed run; None where there is none.
        gated: the limits.
    """
    splits = {TRAIN: train, EVAL: evaluated}
    results = [
        *_few_rows(splits, gated),
        *_few_labels(splits, gated),
        *_missing(splits, gated),
        *_duplicates(splits, gated),
        *_shared(splits, gated),
        *_drifted(splits, blessed, gated),
    ]
    return [result for result in results if result.level != "ignore"]


def write_results(uri: str, results: list[DataGateResult]) -> None:
    """Writes them into AnomalyGate's artifact."""
    lines = ",\n".join(result.model_dump_json() for result in results)
    with fileio.open(f"{uri}/{RESULT_FILE}", "w") as file:
        file.write(f"[\n{lines}\n]\n")


def _few_rows(splits: Mapping[str, SplitData], gated: GatedData) -> Iterator[DataGateResult]:
    gate = gated.gates.rows
    for split, data in splits.items():
        text = f"the {split} split has {data.count:,} rows"
        remedy = "give more data, or choose another data.split"
        yield _result("rows", gate, data.count >= gate.min, data.count, gate.min, text, remedy, split=split)


def _few_labels(splits: Mapping[str, SplitData], gated: GatedData) -> Iterator[DataGateResult]:
    gate = gated.gates.labelled
    for task, column in gated.tasks.items():
        for split, data in splits.items():
            known = data.columns.get(column)
            labelled = data.count if task in gated.negative_if_empty else known.present if known else 0
            text = f"task {task} has {labelled:,} labelled rows in the {split} split"
            remedy = "label more rows, or choose another data.split"
            yield _result("labelled", gate, labelled >= gate.min, labelled, gate.min, text, remedy, task, split)


def _missing(splits: Mapping[str, SplitData], gated: GatedData) -> Iterator[DataGateResult]:
    gate = gated.gates.missing
    remedy = "correct the source of this column, leave the feature out, or allow it by data_gates.missing.features"
    for feature, column in gated.features.items():
        shares = {split: _missing_share(data, column) for split, data in splits.items()}
        limit = gate.features.get(feature, gate.max)
        for split, share in shares.items():
            text = f"feature {feature} is missing in {percent(share)} of the {split} rows"
            yield _result("missing", gate, share <= limit, share, limit, text, remedy, feature, split)
        rise = shares[EVAL] - shares[TRAIN]
        before, after = (percent(shares[split]) for split in (TRAIN, EVAL))
        text = f"feature {feature} is missing in {before} of the train rows, {after} of the eval rows"
        yield _result("missing.max_rise", gate, rise <= gate.max_rise, rise, gate.max_rise, text, remedy, feature)


def _missing_share(data: SplitData, column: str) -> float:
    known = data.columns.get(column)
    return known.missing / known.rows if known and known.rows else 1.0


def _duplicates(splits: Mapping[str, SplitData], gated: GatedData) -> Iterator[DataGateResult]:
    gate = gated.gates.duplicates
    for split, data in splits.items():
        if data.rows is None:
            yield _not_compared("duplicates", gate, gate.max, "the rows were not counted", split)
            continue
        reason = _expected_repeats(data.rows)
        if reason:
            yield _not_compared("duplicates", gate, gate.max, reason, split)
            continue
        share = data.rows.exact.repeated
        text = f"{percent(share)} of the {split} rows{_sampled(data.rows)} equal an earlier one in every column"
        remedy = "remove the copies from the table; or, if they are separate cases, raise data_gates.duplicates.max"
        yield _result("duplicates", gate, share <= gate.max, share, gate.max, text, remedy, split=split)


def _shared(splits: Mapping[str, SplitData], gated: GatedData) -> Iterator[DataGateResult]:
    train, evaluated = splits[TRAIN].rows, splits[EVAL].rows
    rows, keys = gated.gates.shared_rows, gated.gates.shared_keys
    if train is None or evaluated is None:
        yield _not_compared("shared_rows", rows, rows.max, "the rows were not counted")
        return
    reason = _expected_repeats(train)
    if reason:
        yield _not_compared("shared_rows", rows, rows.max, reason)
    else:
        share = evaluated.features.share_in(train.features)
        text = (
            f"{percent(share)} of the eval rows{_sampled(train)} equal a train row in every feature (fractions to "
            f"{rows.digits} digits)"
        )
        remedy = "remove the copies, or split by what such rows have in common: the metrics reward remembering"
        yield _result("shared_rows", rows, share <= rows.max, share, rows.max, text, remedy)
    if keys.columns:
        share, names = evaluated.key.share_in(train.key), ", ".join(keys.columns)
        text = f"{percent(share)} of the eval rows{_sampled(train)} with a key ({names}) have one of the train split"
        remedy = f"split by it: data.split: {{by: hash, key: [{names}]}}"
        yield _result("shared_keys", keys, share <= keys.max, share, keys.max, text, remedy)


def _expected_repeats(rows: Rows) -> str:
    """Why equal rows say nothing; nothing where they do."""
    counted = rows.features
    total = int(counted.counts.sum())
    if total and len(counted.hashes) < FEW_COMBINATIONS * total:
        return (
            f"the features take only {len(counted.hashes):,} combinations in {total:,} rows, so equal rows are to be "
            "expected"
        )
    return ""


def _sampled(rows: Rows) -> str:
    """A remark where not all different rows were kept."""
    bits = max(rows.exact.bits, rows.features.bits)
    return f" (1 of {1 << bits}, chosen by hash)" if bits else ""


def _drifted(
    splits: Mapping[str, SplitData], blessed: Mapping[str, LabelCounts] | None, gated: GatedData
) -> Iterator[DataGateResult]:
    by_split = {split: data.rows.labels if data.rows else {} for split, data in splits.items()}
    gates = gated.gates
    for task, column in gated.tasks.items():
        train, evaluated = (by_split[split].get(column, LabelCounts()) for split in (TRAIN, EVAL))
        remedy = "check how the labels of the newest rows came about; if the world changed, train on newer rows"
        yield _drift(
            "label_drift", gates.label_drift, task, train, evaluated, "the train split", "the eval split", remedy
        )
        before = (blessed or {}).get(column, LabelCounts())
        yield _drift(
            "label_drift_since_blessed",
            gates.label_drift_since_blessed,
            task,
            before,
            train + evaluated,
            "the last blessed run",
            "this one",
            remedy,
        )


def _drift(
    gate: str,
    limits: LabelDriftGate,
    task: str,
    before: LabelCounts,
    after: LabelCounts,
    where_before: str,
    where_after: str,
    remedy: str,
) -> DataGateResult:
    if not before.rows or not after.rows:
        lacking = where_after if before.rows else where_before
        return _not_compared(gate, limits, limits.max, f"task {task}: no labels are known of {lacking}", of=task)
    change = label_change(before, after)
    text = (
        f"task {task}: {percent(change.before)} of the labels are {change.what} in {where_before}, "
        f"{percent(change.after)} in {where_after}"
    )
    passed = change.size <= limits.max or change.by_chance
    return _result(gate, limits, passed, change.size, limits.max, text, remedy, task)


@dataclass(frozen=True)
class LabelChange:
    """Where two distributions of labels differ most.

    Attributes:
        what: a class, or "at most" a number.
        before, after: its share.
        by_chance: whether two samples of one distribution may differ as much.
    """

    what: str
    before: float
    after: float
    by_chance: bool

    @property
    def size(self) -> float:
        """The change of the share."""
        return abs(self.after - self.before)


def label_change(before: LabelCounts, after: LabelCounts) -> LabelChange:
    """The largest change of a class's share or, of numbers, of the share up to a value.

    Numbers with few different values, such as classes 0 and 1, are compared as classes are.
    """
    values = sorted({*before.values, *after.values}, key=str)
    numbers = len(values) > 20 and all(isinstance(value, float) for value in values)
    if numbers:
        values.sort()
    first, second = (_shares(counts, values, numbers) for counts in (before, after))
    place = int(np.abs(second - first).argmax())
    shares = float(first[place]), float(second[place])
    sizes = before.rows, after.rows
    unit = math.sqrt(1 / sizes[0] + 1 / sizes[1])
    pooled = (shares[0] * sizes[0] + shares[1] * sizes[1]) / sum(sizes)
    chance = CHANCE_KS * unit if numbers else CHANCE * unit * math.sqrt(max(pooled * (1 - pooled), 0.0))
    value = values[place]
    named = f"{value:.6g}" if isinstance(value, float) else f"'{value}'"
    what = f"at most {named}" if numbers else named
    return LabelChange(what, *shares, abs(shares[1] - shares[0]) <= chance)


def _shares(counts: LabelCounts, values: list[Any], cumulative: bool) -> np.ndarray:
    found: Counter[Any] = counts.values
    shares = np.array([found[value] for value in values], float) / counts.rows
    return np.cumsum(shares) if cumulative else shares


def percent(share: float) -> str:
    """`12.3 %`."""
    return f"{100 * share:.3g} %"


def _not_compared(
    gate: str, limits: DataGate, limit: float, reason: str, split: str = "both", of: str | None = None
) -> DataGateResult:
    return DataGateResult(
        gate=gate, of=of, split=split, value=None, limit=limit, level=limits.level, passed=True, text=reason
    )


def _result(
    gate: str,
    limits: DataGate,
    passed: bool,
    value: float,
    limit: float,
    text: str,
    remedy: str,
    of: str | None = None,
    split: str = "both",
) -> DataGateResult:
    if not passed:
        allowed = f"at least {limit:,}" if gate in ("rows", "labelled") else f"at most {percent(limit)}"
        text = f"{text} (data_gates.{gate}: {allowed}): {remedy}"
    return DataGateResult(
        gate=gate, of=of, split=split, value=value, limit=limit, level=limits.level, passed=passed, text=text
    )
