"""The Evaluator's result, read from TFMA's files, checked, and in the form of report.json."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import tensorflow_model_analysis as tfma
from pydantic import Field
from tfx.dsl.io import fileio

from components.evaluator.gates import GateResult, judge
from components.evaluator.result import (
    LABELLED_COUNT,
    ChangeErrors,
    MetricKey,
    Metrics,
    SliceKey,
    columns_of,
    read_errors,
    read_metrics,
    slice_name,
)
from janus_core.errors import JanusError
from janus_core.kinds import metrics_of
from janus_core.strict import StrictModel
from pipeline.config import JanusConfig
from pipeline.evaluation import EXAMPLE_COUNT, PRESENT_CLASSES, gates_of, output_of
from pipeline.report.analysis.slices import Z
from pipeline.report.report_json import finite
from trainer.config import Task, classes_of

BLESSED_FILE, NOT_BLESSED_FILE = "BLESSED", "NOT_BLESSED"

VALIDATIONS_FILES = "validations*"

SLICES_NAMED_IN_NOTES = 3


class MetricChange(StrictModel):
    """A metric's change since the baseline on the same rows, with its noise by a paired bootstrap."""

    change: float
    standard_error: float
    low: float = Field(description="Lower end of the 95 % interval.")
    high: float = Field(description="Upper end of the 95 % interval.")


class TaskResult(StrictModel):
    """The evaluation of a task. A metric is None where it is not defined, which a problem or a note explains."""

    kind: str
    labelled: dict[str, int] = Field(description="Split → rows with a label and a weight above 0.")
    metrics: dict[str, float | None]
    baseline: dict[str, float | None] = Field(
        description="Of the baseline, as far as it has the outputs; empty if there is none."
    )
    slices: dict[str, dict[str, float | None]] = Field(description='"column=value" → metrics.')
    slice_sizes: dict[str, int] = Field(description='"column=value" → rows with a label.')
    gates: list[GateResult]
    changes: dict[str, MetricChange] = Field(
        {}, description="Metric → its change since the baseline; empty if there is none."
    )
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
                for key in [key for key in gate if key not in ("metric", "rule", "limit", "value", "passed")]:
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
    metrics = read_metrics(evaluation_uri)
    problems: list[str] = []
    examples = int(metrics.get((), {}).get(MetricKey("", EXAMPLE_COUNT), 0))
    if not examples:
        problems.append("no example was evaluated: the eval split is empty")
    errors = read_errors(evaluation_uri)
    tasks = {name: _task_result(name, task, config, metrics, errors, problems) for name, task in config.tasks.items()}
    problems += _missing_slices(config.evaluation.slices, metrics)
    results = [(gate, judge(gate, metrics, errors).passed) for gate in gates_of(config)]
    by_tfma = bool(examples) and all(passed for gate, passed in results if gate.by_tfma)
    own = all(passed for gate, passed in results if not gate.by_tfma)
    validated = bool(tfma.load_validation_result(evaluation_uri).validation_ok)
    blessed = validated and own if blessing_uri is None else _is_blessed(blessing_uri, problems)
    problems += _disagreements(by_tfma, own, validated, blessed)
    return EvaluationResult(examples=examples, tasks=tasks, blessed=blessed, problems=problems)


def _is_blessed(blessing_uri: str, problems: list[str]) -> bool:
    blessed, rejected = (fileio.exists(f"{blessing_uri}/{name}") for name in (BLESSED_FILE, NOT_BLESSED_FILE))
    if blessed == rejected:
        problems.append(f"{blessing_uri} does not say whether the model is blessed")
        return False
    return blessed


# --- one task ---------------------------------------------------------------------------------------------------

_Keys = Mapping[str, MetricKey]
"""A task's metric → its key in TFMA's result."""


def _task_result(
    name: str, task: Task, config: JanusConfig, metrics: Metrics, errors: ChangeErrors, problems: list[str]
) -> TaskResult:
    overall = metrics.get((), {})
    keys = {metric: MetricKey(output_of(name, facts), metric) for metric, facts in metrics_of(task).items()}
    compared = _compared(keys, overall)
    count = MetricKey(name, LABELLED_COUNT)
    labelled = int(overall.get(count, 0))
    values, baseline = _values(overall, keys), _values(overall, compared)
    if not labelled:
        problems.append(f"task {name}: no row of the eval split has a label, so the task cannot be evaluated")
    else:
        problems += _undefined(f"task {name}", task, overall, keys)
        problems += _undefined(f"task {name}, baseline", task, overall, compared)

    sliced = {key: metrics_inside for key, metrics_inside in _ordered(metrics, config.evaluation.slices) if key}
    return TaskResult(
        kind=task.kind,
        labelled={"eval": labelled},
        metrics=values,
        baseline=baseline,
        slices={slice_name(key): _values(metrics_inside, keys) for key, metrics_inside in sliced.items()},
        slice_sizes={slice_name(key): int(metrics_inside.get(count, 0)) for key, metrics_inside in sliced.items()},
        gates=[judge(gate, metrics, errors) for gate in gates_of(config) if gate.task == name],
        changes=dict(_changes(keys, values, baseline, errors, labelled)),
        notes=[*_absent_classes(task, overall.get(MetricKey(name, PRESENT_CLASSES))), *_slice_notes(keys, sliced)],
    )


def _compared(keys: _Keys, overall: Mapping[MetricKey, float]) -> _Keys:
    """The keys of the baseline's metrics, of those outputs that it was evaluated on."""
    outputs = {key.output for key in overall if key.baseline}
    return {metric: replace(key, baseline=True) for metric, key in keys.items() if key.output in outputs}


def _values(metrics: Mapping[MetricKey, float], keys: _Keys) -> dict[str, float | None]:
    return {metric: finite(metrics.get(key)) for metric, key in keys.items()}


def _changes(
    keys: _Keys,
    values: Mapping[str, float | None],
    baseline: Mapping[str, float | None],
    errors: ChangeErrors,
    labelled: int,
) -> Iterator[tuple[str, MetricChange]]:
    for metric, key in keys.items():
        value, before, error = values[metric], baseline.get(metric), errors.error(key.output, metric, labelled)
        if value is not None and before is not None and error is not None:
            change, reach = value - before, Z * error
            yield metric, MetricChange(change=change, standard_error=error, low=change - reach, high=change + reach)


def _undefined(model: str, task: Task, metrics: Mapping[MetricKey, float], keys: _Keys) -> Iterator[str]:
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


def _slice_notes(keys: _Keys, sliced: Mapping[SliceKey, Mapping[MetricKey, float]]) -> list[str]:
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


def _ordered(metrics: Metrics, slices: Sequence[Sequence[str]]) -> list[tuple[SliceKey, Mapping[MetricKey, float]]]:
    """In the order of the configuration, then by value."""
    places = {tuple(sorted(columns)): place for place, columns in enumerate(slices)}
    return sorted(metrics.items(), key=lambda item: (places.get(columns_of(item[0]), -1), item[0]))


def _missing_slices(slices: Sequence[Sequence[str]], metrics: Metrics) -> list[str]:
    known = {columns_of(key) for key in metrics}
    return [
        f"evaluation.slices: no example has a value in {' and '.join(columns)}, so there is no slice by it"
        for columns in slices
        if tuple(sorted(columns)) not in known
    ]


# --- gates ------------------------------------------------------------------------------------------------------


def _disagreements(by_tfma: bool, own: bool, validated: bool, blessed: bool) -> Iterator[str]:
    words = {True: "passed", False: "failed"}
    if validated and not own and blessed:
        yield "a gate failed, but the model is blessed"
    elif (validated and own) != blessed:
        yield f"TFMA's validation {words[validated]}, but the model is {'' if blessed else 'not '}blessed"
    if by_tfma != validated:
        yield f"the gates {words[by_tfma]} by the values that were read back, but TFMA's validation {words[validated]}"
