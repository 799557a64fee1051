"""The Evaluator's result, read from TFMA's files, checked, and in the form of report.json."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from pydantic import Field
from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tfx.dsl.io import fileio

from janus_core.errors import JanusError
from janus_core.kinds import metrics_of
from janus_core.strict import StrictModel
from pipeline.config import JanusConfig
from pipeline.config.gates import GateConfig
from pipeline.evaluation import EXAMPLE_COUNT, LABELLED_COUNT, PRESENT_CLASSES, output_of
from pipeline.report.report_json import finite
from trainer.config import Task, classes_of

BLESSED_FILE, NOT_BLESSED_FILE = "BLESSED", "NOT_BLESSED"

VALIDATIONS_FILES = "validations*"

SLICES_NAMED_IN_NOTES = 3

SliceKey = tuple[tuple[str, str], ...]
"""Pairs of column and value, sorted by column; empty for all rows together."""


class GateResult(StrictModel):
    """One limit on one metric, and whether the model keeps it.

    `value` and `baseline` are the metric's values of this model and of the last blessed one; None where undefined.
    """

    metric: str
    rule: str
    limit: float
    value: float | None
    passed: bool
    baseline: float | None = None
    note: str | None = None


class TaskResult(StrictModel):
    """The evaluation of a task. A metric is None where it is not defined, which a problem or a note explains."""

    kind: str
    labelled: dict[str, int] = Field(description="Split → rows with a label and a weight above 0.")
    metrics: dict[str, float | None]
    baseline: dict[str, float | None] = Field(
        description="Of the last blessed model, as far as it has the outputs; empty if there is none."
    )
    slices: dict[str, dict[str, float | None]] = Field(description='"column=value" → metrics.')
    slice_sizes: dict[str, int] = Field(description='"column=value" → rows with a label.')
    gates: list[GateResult]
    notes: list[str]


class EvaluationResult(StrictModel):
    """The Evaluator's result: `blessed` says whether the model may be pushed."""

    examples: int = Field(description="Evaluated rows, with or without labels.")
    tasks: dict[str, TaskResult]
    blessed: bool
    problems: list[str]

    def failed_gates(self) -> list[tuple[str, GateResult]]:
        """Each task's gates that did not pass."""
        return [(name, gate) for name, task in self.tasks.items() for gate in task.gates if not gate.passed]

    def report(self) -> dict[str, Any]:
        """The part of report.json that is known here: `tasks`, `blessed`, `problems` and the examples of eval."""
        report = self.model_dump()
        report["examples"] = {"eval": self.examples}
        for task in report["tasks"].values():
            for gate in task["gates"]:
                for key in ("baseline", "note"):
                    if gate[key] is None:
                        del gate[key]
        return report


def read_evaluation(config: JanusConfig, evaluation_uri: str, blessing_uri: str | None = None) -> EvaluationResult:
    """Reads the Evaluator's artifacts.

    Args:
        config: the configuration that the evaluation was made with.
        evaluation_uri: folder of the `evaluation` artifact.
        blessing_uri: folder of the `blessing` artifact; without it, TFMA's validation result says what is blessed.

    Returns:
        The result. Its problems name every metric that was asked for and is missing or undefined for all rows, slices
        that were asked for and do not exist, and gates whose outcome disagrees with the blessing.

    Raises:
        JanusError: the folder holds no finished evaluation.
    """
    if not fileio.glob(f"{evaluation_uri}/{VALIDATIONS_FILES}"):
        raise JanusError(f"{evaluation_uri} holds no finished evaluation: run the pipeline again")
    metrics = _load(evaluation_uri)
    problems: list[str] = []
    examples = int(metrics.get((), {}).get(_Key("", EXAMPLE_COUNT), 0))
    if not examples:
        problems.append("no example was evaluated: the eval split is empty")
    tasks = {name: _task_result(name, task, config, metrics, problems) for name, task in config.tasks.items()}
    problems += _missing_slices(config.evaluation.slices, metrics)
    validated = bool(tfma.load_validation_result(evaluation_uri).validation_ok)
    blessed = validated if blessing_uri is None else _is_blessed(blessing_uri, problems)
    passed = bool(examples) and all(gate.passed for task in tasks.values() for gate in task.gates)
    problems += _disagreements(passed, validated, blessed)
    return EvaluationResult(examples=examples, tasks=tasks, blessed=blessed, problems=problems)


# --- reading TFMA's files ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Key:
    output: str
    name: str
    baseline: bool = False


_Metrics = Mapping[SliceKey, Mapping[_Key, float]]


def _load(evaluation_uri: str) -> _Metrics:
    """Slice → metric → value, of both models; differences between the models are left out."""
    return {
        _slice_key(record.slice_key): {
            _Key(item.key.output_name, item.key.name, item.key.model_name == tfma.BASELINE_KEY): (
                item.value.double_value.value
            )
            for item in record.metric_keys_and_values
            if not item.key.is_diff and item.value.WhichOneof("type") == "double_value"
        }
        for record in tfma.load_metrics(evaluation_uri)
    }


def _slice_key(key: metrics_for_slice_pb2.SliceKey) -> SliceKey:
    return tuple((single.column, _slice_value(single)) for single in key.single_slice_keys)


def _slice_value(single: metrics_for_slice_pb2.SingleSliceKey) -> str:
    kind = single.WhichOneof("kind")
    if kind == "bytes_value":
        return str(single.bytes_value.decode("utf-8", errors="replace"))
    if kind == "float_value":
        # Stored as float32: its own shortest form, not that of the double that it is read into.
        return str(np.float32(single.float_value))
    return str(single.int64_value)


def slice_name(key: SliceKey) -> str:
    """`a=1`, or `a=1,b=2` for a crossing."""
    return ",".join(f"{column}={value}" for column, value in key)


def _is_blessed(blessing_uri: str, problems: list[str]) -> bool:
    blessed, rejected = (fileio.exists(f"{blessing_uri}/{name}") for name in (BLESSED_FILE, NOT_BLESSED_FILE))
    if blessed == rejected:
        problems.append(f"{blessing_uri} does not say whether the model is blessed")
        return False
    return blessed


# --- one task ---------------------------------------------------------------------------------------------------

_Keys = Mapping[str, _Key]
"""A task's metric → its key in TFMA's result."""


def _task_result(name: str, task: Task, config: JanusConfig, metrics: _Metrics, problems: list[str]) -> TaskResult:
    overall = metrics.get((), {})
    keys = {metric: _Key(output_of(name, facts), metric) for metric, facts in metrics_of(task).items()}
    compared = _compared(keys, overall)
    count = _Key(name, LABELLED_COUNT)
    labelled = int(overall.get(count, 0))
    values, baseline = _values(overall, keys), _values(overall, compared)
    if not labelled:
        problems.append(f"task {name}: no row of the eval split has a label, so the task cannot be evaluated")
    else:
        problems += _undefined(f"task {name}", task, overall, keys)
        problems += _undefined(f"task {name}, last blessed model", task, overall, compared)

    sliced = {key: metrics_inside for key, metrics_inside in _ordered(metrics, config.evaluation.slices) if key}
    return TaskResult(
        kind=task.kind,
        labelled={"eval": labelled},
        metrics=values,
        baseline=baseline,
        slices={slice_name(key): _values(metrics_inside, keys) for key, metrics_inside in sliced.items()},
        slice_sizes={slice_name(key): int(metrics_inside.get(count, 0)) for key, metrics_inside in sliced.items()},
        gates=_gates(config.evaluation.gates.get(name, {}), values, baseline),
        notes=[*_absent_classes(task, overall.get(_Key(name, PRESENT_CLASSES))), *_slice_notes(keys, sliced)],
    )


def _compared(keys: _Keys, overall: Mapping[_Key, float]) -> _Keys:
    """The keys of the baseline's metrics, of those outputs that it was evaluated on."""
    outputs = {key.output for key in overall if key.baseline}
    return {metric: replace(key, baseline=True) for metric, key in keys.items() if key.output in outputs}


def _values(metrics: Mapping[_Key, float], keys: _Keys) -> dict[str, float | None]:
    return {metric: finite(metrics.get(key)) for metric, key in keys.items()}


def _undefined(model: str, task: Task, metrics: Mapping[_Key, float], keys: _Keys) -> Iterator[str]:
    known = metrics_of(task)
    for metric, key in keys.items():
        value = metrics.get(key)
        if value is None:
            yield f"{model}: the Evaluator returned no {metric}"
        elif not math.isfinite(value):
            yield f"{model}: {metric} is {value}; {known[metric].reason_undefined}"


def _absent_classes(task: Task, present: float | None) -> Iterator[str]:
    classes = classes_of(task)
    if present is not None and math.isfinite(present) and present < len(classes):
        yield f"{int(present)} of {len(classes)} classes occur in the eval split; averages over classes are over these"


def _slice_notes(keys: _Keys, sliced: Mapping[SliceKey, Mapping[_Key, float]]) -> list[str]:
    notes = []
    for metric, key in keys.items():
        undefined = [
            slice_name(of_slice)
            for of_slice, metrics_inside in sliced.items()
            if finite(metrics_inside.get(key)) is None
        ]
        if undefined:
            shown = "; ".join(undefined[:SLICES_NAMED_IN_NOTES])
            more = "; …" if len(undefined) > SLICES_NAMED_IN_NOTES else ""
            notes.append(f"{metric} is not defined in {len(undefined)} of {len(sliced)} slices ({shown}{more})")
    return notes


# --- slices -----------------------------------------------------------------------------------------------------


def _ordered(metrics: _Metrics, slices: Sequence[Sequence[str]]) -> list[tuple[SliceKey, Mapping[_Key, float]]]:
    """In the order of the configuration, then by value."""
    places = {tuple(sorted(columns)): place for place, columns in enumerate(slices)}
    return sorted(metrics.items(), key=lambda item: (places.get(_columns(item[0]), -1), item[0]))


def _columns(key: SliceKey) -> tuple[str, ...]:
    return tuple(column for column, _ in key)


def _missing_slices(slices: Sequence[Sequence[str]], metrics: _Metrics) -> list[str]:
    known = {_columns(key) for key in metrics}
    return [
        f"evaluation.slices: no example has a value in {' and '.join(columns)}, so there is no slice by it"
        for columns in slices
        if tuple(sorted(columns)) not in known
    ]


# --- gates ------------------------------------------------------------------------------------------------------


def _gates(
    gates: Mapping[str, GateConfig], values: Mapping[str, float | None], baseline: Mapping[str, float | None]
) -> list[GateResult]:
    return [
        _gate(metric, rule, limit, values[metric], baseline)
        for metric, gate in gates.items()
        for rule, limit in gate.rules().items()
    ]


def _gate(
    metric: str, rule: str, limit: float, value: float | None, baseline: Mapping[str, float | None]
) -> GateResult:
    if rule in ("min", "max"):
        if value is None:
            return _undefined_gate(metric, rule, limit, value, None)
        passed = value >= limit if rule == "min" else value <= limit
        return GateResult(metric=metric, rule=rule, limit=limit, value=value, passed=passed)
    if metric not in baseline:
        note = "there is no blessed model with this task to compare with yet"
        return GateResult(metric=metric, rule=rule, limit=limit, value=value, passed=True, note=note)
    before = baseline[metric]
    if value is None or before is None:
        return _undefined_gate(metric, rule, limit, value, before)
    change = value - before
    passed = change >= -limit if rule == "max_drop" else change <= limit
    return GateResult(metric=metric, rule=rule, limit=limit, value=value, passed=passed, baseline=before)


def _undefined_gate(metric: str, rule: str, limit: float, value: float | None, baseline: float | None) -> GateResult:
    whose = "this model" if value is None else "the last blessed model"
    note = f"{metric} is not defined for {whose}"
    return GateResult(metric=metric, rule=rule, limit=limit, value=value, passed=False, baseline=baseline, note=note)


def _disagreements(passed: bool, validated: bool, blessed: bool) -> Iterator[str]:
    words = {True: "passed", False: "failed"}
    if validated != blessed:
        yield f"TFMA's validation {words[validated]}, but the model is {'' if blessed else 'not '}blessed"
    if passed != validated:
        yield f"the gates {words[passed]} by the values that were read back, but TFMA's validation {words[validated]}"
