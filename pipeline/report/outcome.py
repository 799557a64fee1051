"""What a run's artifacts say: rows, labels, metrics, gates, the pushed version."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfx.dsl.io import fileio

from components.anomaly_gate.column import Column, read_split
from components.anomaly_gate.data_gates import RESULT_FILE
from components.example_gen.parameters import TRAINING_SPANS_PROPERTY
from components.pusher.rollback import withdrawal_notice
from components.serving_check.result import FILE as CHECK_FILE
from components.serving_check.result import read_check
from janus_core.errors import GateError, ServingError, readable
from janus_core.tables.spans import has_spans
from pipeline.config import JanusConfig
from pipeline.lineage.store import NodeExecution, StoredArtifact, output_of
from pipeline.report.analysis.analysis_json import Analysis
from pipeline.report.baselines import add_baselines, baseline_warnings
from pipeline.report.evaluation_result import read_evaluation
from pipeline.report.plausibility import class_doubts, doubts
from pipeline.report.report_json import ComponentReport, RunReport, finite
from pipeline.report.wording import data_warnings, failed_gate
from serving.description import read_description
from trainer.config import Task
from trainer.expert_gates import utilisation_of

SPLITS = ("train", "eval")

_Executions = Mapping[str, NodeExecution]


def add_outcome(report: RunReport, config: JanusConfig, executions: _Executions) -> None:
    """Adds what a run's artifacts say to its report, the exit code included.

    Args:
        report: of the run.
        config: what the run was started with.
        executions: each node's, as far as the run came.
    """
    report.tasks = {name: _empty_task(task) for name, task in config.tasks.items()}
    _add_push(report, config, output_of(executions, "Pusher", "pushed_model"))
    with gap_reported(report, "the numbers of rows"):
        _add_counts(report, config, output_of(executions, "StatisticsGen", "statistics"))
    with gap_reported(report, "the data gates"):
        gates = output_of(executions, "AnomalyGate", "result")
        report.data_gates = _read(f"{gates.uri}/{RESULT_FILE}", []) if gates else []
    with gap_reported(report, "the spans"):
        _add_spans(report, config, executions)
    with gap_reported(report, "the history of the training"):
        _add_history(report, config, output_of(executions, "Trainer", "model_run"))
    with gap_reported(report, "the metrics and gates"):
        _add_evaluation(report, config, executions)
    with gap_reported(report, "the decisions"):
        _add_decisions(report, output_of(executions, "Trainer", "model"))
    with gap_reported(report, "the serving check"):
        _add_serving_check(report, output_of(executions, "ServingCheck", "blessing"))
    judge(report)


@contextmanager
def gap_reported(report: RunReport, what: str) -> Iterator[None]:
    """After a push, turns the failure of a part of the report into a warning: the exit code is about the model."""
    try:
        yield
    except Exception as error:
        if not report.pushed:
            raise
        logging.getLogger(__name__).exception("the report lacks %s", what)
        warning = f"the report lacks {what}: {readable(error)}; {REMEDY}"
        report.warnings = list(dict.fromkeys([*report.warnings, warning]))


REMEDY = "`janus report CONFIG --rebuild` makes it again"


def add_analysis(report: RunReport, config: JanusConfig, analysis: Analysis) -> None:
    """Adds the baselines, and what a person should look at."""
    add_baselines(report, analysis.baselines)
    report.warnings += [
        *data_warnings(report),
        *class_doubts(config.tasks),
        *doubts(report, analysis),
        *baseline_warnings(report),
    ]


def add_components(report: RunReport, nodes: Sequence[str], executions: _Executions) -> None:
    """Adds what ML Metadata recorded of the nodes, and the problem and the exit code of the first that failed."""
    for node in nodes:
        execution = executions.get(node)
        if execution is not None:
            state = "complete" if execution.complete else "failed"
            seconds = round(execution.seconds, 2)
            report.components[node] = ComponentReport(seconds=seconds, cached=execution.cached, state=state)
    report.seconds = round(sum(component.seconds for component in report.components.values()), 1)
    failed = next((executions[node] for node in report.components if not executions[node].complete), None)
    if failed is not None and report.exit_code in (0, GateError.exit_code):
        report.exit_code = failed.exit_code or 1
        report.problems.insert(0, f"{failed.node}: {failed.message or 'its step ended before its execution did'}")


def judge(report: RunReport) -> None:
    """Sets the exit code by the gates and the serving check, which a pushed model has passed."""
    if report.pushed:
        return
    if not report.blessed:
        report.exit_code = GateError.exit_code
    elif report.serving_check and not report.serving_check["passed"]:
        report.exit_code = ServingError.exit_code


def _add_push(report: RunReport, config: JanusConfig, pushed: StoredArtifact | None) -> None:
    if pushed is not None and pushed.properties.get("pushed") == 1:
        report.pushed, report.blessed = str(pushed.properties["pushed_destination"]), True
    elif pushed is not None:
        notice = withdrawal_notice(config.push.path, pushed.properties)
        report.problems += [notice] if notice else []


def _empty_task(task: Task) -> dict[str, Any]:
    settings = {key: getattr(task, key, None) for key in ("unit", "quantiles")}
    empty: dict[str, Any] = {"labelled": {}, "metrics": {}, "baseline": {}, "slices": {}, "gates": []}
    return {"kind": task.kind, **{key: value for key, value in settings.items() if value}, **empty}


def _add_counts(report: RunReport, config: JanusConfig, statistics: StoredArtifact | None) -> None:
    if statistics is None:
        return
    for split in SPLITS:
        rows, columns = read_split(statistics.uri, split)
        report.examples[split] = rows
        for name, task in config.tasks.items():
            # The Trainer and the Evaluator count the labels that have a weight.
            if task.sample_weight is None:
                report.tasks[name]["labelled"][split] = _labelled(task, rows, columns.get(task.label))


def _labelled(task: Task, rows: int, column: Column | None) -> int:
    if getattr(task, "empty", None) == "negative":
        return rows
    return column.present if column else 0


def _add_spans(report: RunReport, config: JanusConfig, executions: _Executions) -> None:
    """The span that was ingested or, with a split by span, evaluated; and each one trained on, newest first."""
    examples = output_of(executions, "ExampleGen", "examples")
    if examples and has_spans(config.data.path):
        report.span = int(examples.properties["span"])
    if examples and TRAINING_SPANS_PROPERTY in examples.properties:
        report.window = list(json.loads(str(examples.properties[TRAINING_SPANS_PROPERTY])))
    elif "WindowResolver" in executions:
        report.window = [
            {"span": int(part.properties["span"]), "train": json.loads(str(part.properties["num_examples"]))["train"]}
            for part in executions["WindowResolver"].outputs.get("examples", [])
        ]


def _add_history(report: RunReport, config: JanusConfig, model_run: StoredArtifact | None) -> None:
    if model_run is None:
        return
    history = read_history(model_run.uri)
    report.history = [{name: finite(value) for name, value in epoch.items()} for epoch in history]
    # Rows of the train split with a label and a weight above 0; none if the training has not ended.
    for name, rows in _read(f"{model_run.uri}/{LABELLED_FILE}", {}).items():
        report.tasks[name]["labelled"]["train"] = rows
    stopping = config.training.early_stopping
    kept = kept_epoch(history, stopping.min_delta if stopping else 0.0) or {}
    for name, task in report.tasks.items():
        utilisation = utilisation_of(name, kept)
        if utilisation:
            task["gate_utilisation"] = utilisation


def _add_evaluation(report: RunReport, config: JanusConfig, executions: _Executions) -> None:
    evaluation, blessing = (output_of(executions, "Evaluator", key) for key in ("evaluation", "blessing"))
    if evaluation is None or not Path(evaluation.uri).exists():
        return
    result = read_evaluation(config, evaluation.uri, blessing.uri if blessing else None)
    evaluated = result.report()
    for name, task in evaluated["tasks"].items():
        labelled = {**report.tasks[name]["labelled"], **task["labelled"]}
        report.tasks[name].update({**task, "labelled": labelled})
    report.blessed = result.blessed
    report.problems += [f"task {name}: {failed_gate(gate.model_dump())}" for name, gate in result.failed_gates()]
    report.problems += result.problems


def _add_decisions(report: RunReport, model: StoredArtifact | None) -> None:
    """Each binary task's threshold, as the trained model has it."""
    description = read_description(Path(model.uri) / "Format-Serving") if model else None
    for name, task in description.tasks.items() if description else ():
        if task.decision is not None:
            report.tasks[name]["decision"] = task.decision.model_dump()
            if task.decision.note:
                report.tasks[name].setdefault("notes", []).append(f"decision: {task.decision.note}")


def _add_serving_check(report: RunReport, blessing: StoredArtifact | None) -> None:
    if blessing is None:
        return
    if (Path(blessing.uri) / CHECK_FILE).exists():
        report.serving_check = read_check(blessing.uri).model_dump()
        report.problems += [f"serving check: {problem}" for problem in report.serving_check["problems"]]
        return
    report.serving_check = {"passed": blessing.properties.get("blessed") == 1}
    if not report.serving_check["passed"]:
        report.problems.append("serving check: TensorFlow Serving did not answer as it must; see run.log")


HISTORY_FILE, LABELLED_FILE = "history.json", "labelled.json"
MONITOR = "val_balanced_loss"

Epoch = dict[str, float]
"""Name → value at the end of an epoch."""


def read_history(model_run_uri: str) -> list[Epoch]:
    """The epochs of a training, in order; empty if there is no history.

    Args:
        model_run_uri: folder of the Trainer's `model_run` artifact.
    """
    return _read(f"{model_run_uri}/{HISTORY_FILE}", [])


def _read(path: str, default: Any) -> Any:
    if not fileio.exists(path):
        return default
    with fileio.open(path, "r") as file:
        return json.load(file)


def kept_epoch(history: list[Epoch], min_delta: float = 0.0) -> Epoch | None:
    """The epoch whose weights were exported: `trainer.callbacks.BestWeights` keeps the first of the least loss.

    Args:
        history: the epochs.
        min_delta: the least fall that counts, `training.early_stopping.min_delta`.
    """
    kept: Epoch | None = None
    for epoch in history:
        if kept is None or epoch[MONITOR] < kept[MONITOR] - min_delta:
            kept = epoch
    return kept
