"""What a run's artifacts say: rows, labels, metrics, gates, the pushed version."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.anomaly_gate.column import Column, read_split
from components.example_gen.settings import TRAINING_SPANS_PROPERTY
from components.pusher.rollback import withdrawal_notice
from components.serving_check.result import FILE as CHECK_FILE
from components.serving_check.result import read_check
from janus_core.errors import GateError, ServingError
from janus_core.tables.spans import has_spans
from pipeline.config import JanusConfig
from pipeline.lineage.store import NodeExecution
from pipeline.report.evaluation_result import EvaluationResult, read_evaluation
from pipeline.report.report_json import RunReport
from pipeline.report.training_history import finite, kept_epoch, read_history, read_labelled
from serving.description import DecisionDescription, read_description
from trainer.config import MultilabelTask, Task
from trainer.expert_gates import utilisation_of

SPLITS = ("train", "eval")


@dataclass
class Outcome:
    """The part of a report that stands in artifacts; of a run that failed, as far as it came."""

    examples: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: list[dict[str, float | None]] = field(default_factory=list)
    span: int | None = None
    window: list[dict[str, int]] = field(default_factory=list)
    blessed: bool = False
    pushed: str | None = None
    problems: list[str] = field(default_factory=list)
    failed_gates: list[str] = field(default_factory=list)
    serving_check: dict[str, Any] = field(default_factory=dict)

    def add_to(self, report: RunReport) -> None:
        """Puts it into the run's report, with the exit code of what it says."""
        report.examples, report.tasks, report.history = self.examples, self.tasks, self.history
        report.span = self.span
        report.window, report.blessed, report.pushed = self.window, self.blessed, self.pushed
        report.problems += self.failed_gates + self.problems
        report.serving_check = self.serving_check
        if not self.blessed:
            report.exit_code = GateError.exit_code
        elif self.serving_check and not self.serving_check["passed"]:
            report.exit_code = ServingError.exit_code


def collect_outcome(config: JanusConfig, executions: Mapping[str, NodeExecution]) -> Outcome:
    """Reads a run's artifacts.

    Args:
        config: what the run was started with.
        executions: each node's, as far as the run came.
    """
    outcome = Outcome(tasks={name: _empty_task(config, name) for name in config.tasks})
    _add_counts(outcome, config, executions.get("StatisticsGen"))
    outcome.span = _span(config, executions.get("ExampleGen"))
    outcome.window = _window(executions.get("ExampleGen"), executions.get("WindowResolver"))
    _add_history(outcome, config, executions.get("Trainer"))
    evaluated = _evaluation(config, executions.get("Evaluator"))
    if evaluated is not None:
        _add_evaluation(outcome, evaluated)
    for name, decision in _decisions(executions.get("Trainer")).items():
        outcome.tasks[name]["decision"] = decision.model_dump()
        if decision.note:
            outcome.tasks[name].setdefault("notes", []).append(f"decision: {decision.note}")
    _add_serving_check(outcome, executions.get("ServingCheck"))
    pushed = executions["Pusher"].output("pushed_model") if "Pusher" in executions else None
    if pushed is not None and pushed.properties.get("pushed") == 1:
        outcome.pushed = str(pushed.properties["pushed_destination"])
    elif pushed is not None:
        notice = withdrawal_notice(config.push.path, pushed.properties)
        outcome.problems += [notice] if notice else []
    return outcome


def _add_serving_check(outcome: Outcome, execution: NodeExecution | None) -> None:
    blessing = execution.output("blessing") if execution else None
    if blessing is None:
        return
    passed = blessing.properties.get("blessed") == 1
    if (Path(blessing.uri) / CHECK_FILE).exists():
        outcome.serving_check = read_check(blessing.uri).model_dump()
        outcome.problems += [f"serving check: {problem}" for problem in outcome.serving_check["problems"]]
        return
    outcome.serving_check = {"passed": passed}
    if not passed:
        outcome.problems.append("serving check: TensorFlow Serving did not answer as it must; see run.log")


def _empty_task(config: JanusConfig, name: str) -> dict[str, Any]:
    task = config.tasks[name]
    told = {key: getattr(task, key, None) for key in ("unit", "quantiles")}
    empty: dict[str, Any] = {"labelled": {}, "metrics": {}, "baseline": {}, "slices": {}, "gates": []}
    return {"kind": task.kind, **{key: value for key, value in told.items() if value}, **empty}


def _add_counts(outcome: Outcome, config: JanusConfig, execution: NodeExecution | None) -> None:
    artifact = execution.output("statistics") if execution else None
    if artifact is None:
        return
    for split in SPLITS:
        rows, columns = read_split(artifact.uri, split)
        outcome.examples[split] = rows
        for name, task in config.tasks.items():
            # How many of the labels have a weight, the Trainer and the Evaluator count.
            if task.sample_weight is None:
                outcome.tasks[name]["labelled"][split] = _labelled(task, rows, columns.get(task.label))


def _labelled(task: Task, rows: int, column: Column | None) -> int:
    if isinstance(task, MultilabelTask) and task.empty == "negative":
        return rows
    return column.present if column else 0


def _add_history(outcome: Outcome, config: JanusConfig, execution: NodeExecution | None) -> None:
    artifact = execution.output("model_run") if execution else None
    history = read_history(artifact.uri) if artifact else []
    outcome.history = finite(history)
    for name, rows in read_labelled(artifact.uri).items() if artifact else ():
        outcome.tasks[name]["labelled"]["train"] = rows
    stopping = config.training.early_stopping
    kept = kept_epoch(history, stopping.min_delta if stopping else 0.0) or {}
    for name, task in outcome.tasks.items():
        utilisation = utilisation_of(name, kept)
        if utilisation:
            task["gate_utilisation"] = utilisation


def _decisions(execution: NodeExecution | None) -> dict[str, DecisionDescription]:
    """Each binary task's threshold, as the trained model has it."""
    model = execution.output("model") if execution else None
    description = read_description(Path(model.uri) / "Format-Serving") if model else None
    tasks = description.tasks if description else {}
    return {name: task.decision for name, task in tasks.items() if task.decision is not None}


def _span(config: JanusConfig, execution: NodeExecution | None) -> int | None:
    """The span that was ingested or, with a split by span, evaluated."""
    examples = execution.output("examples") if execution else None
    return int(examples.properties["span"]) if examples and has_spans(config.data.path) else None


def _window(example_gen: NodeExecution | None, resolver: NodeExecution | None) -> list[dict[str, int]]:
    """Each span that was trained on, newest first, with its rows."""
    examples = example_gen.output("examples") if example_gen else None
    if examples and TRAINING_SPANS_PROPERTY in examples.properties:
        return list(json.loads(str(examples.properties[TRAINING_SPANS_PROPERTY])))
    artifacts = resolver.outputs.get("examples", []) if resolver else []
    return [
        {"span": int(found.properties["span"]), "train": json.loads(str(found.properties["num_examples"]))["train"]}
        for found in artifacts
    ]


def _evaluation(config: JanusConfig, execution: NodeExecution | None) -> EvaluationResult | None:
    evaluation = execution.output("evaluation") if execution else None
    blessing = execution.output("blessing") if execution else None
    if evaluation is None or not Path(evaluation.uri).exists():
        return None
    return read_evaluation(config, evaluation.uri, blessing.uri if blessing else None)


def _add_evaluation(outcome: Outcome, result: EvaluationResult) -> None:
    found = result.report()
    for name, task in found["tasks"].items():
        labelled = {**outcome.tasks[name]["labelled"], **task["labelled"]}
        outcome.tasks[name].update({**task, "labelled": labelled})
    outcome.blessed = found["blessed"]
    outcome.problems += found["problems"]
    for name, gate in result.failed_gates():
        outcome.failed_gates.append(f"task {name}: {describe_gate(gate.model_dump())}")


def describe_gate(gate: dict[str, Any]) -> str:
    """One gate in words: `mae 31.2 is above max 30`."""
    value = "undefined" if gate["value"] is None else f"{gate['value']:.6g}"
    rule, limit, baseline = gate["rule"], f"{gate['limit']:g}", gate.get("baseline")
    if gate["passed"]:
        return f"{gate['metric']} {value} keeps {rule} {limit}"
    if gate["value"] is None or (rule.startswith("max_") and baseline is None):
        return f"{gate['metric']}: {gate.get('note') or 'is undefined'} ({rule} {limit})"
    if rule in ("max_drop", "max_rise"):
        return f"{gate['metric']} {value} against {baseline:.6g} of the last blessed model breaks {rule} {limit}"
    return f"{gate['metric']} {value} is {'below' if rule == 'min' else 'above'} {rule} {limit}"
