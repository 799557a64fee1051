"""Doubts about results that are too good to be true: most often a feature contains the answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from janus_core.kinds import reported_metric
from janus_core.tables.missing_markers import CERTAIN_MARKERS, doubtful_classes
from pipeline.report.analysis.analysis_json import Analysis, Importance, TaskAnalysis
from pipeline.report.report_json import RunReport
from trainer.config import Task, classes_of

FEWEST_LABELS = 30
"""With fewer evaluated labels, a simple model may order all of them correctly by chance."""
NEARLY_ALL = 0.9
"""Share of the importance of all columns."""
FEWEST_COLUMNS = 3
LEAST_HARM = 0.1
"""A column matters if permuting its values makes the metric worse by at least this share."""


def doubts(report: RunReport, analysis: Analysis) -> list[str]:
    """A sentence for each task with an implausible metric, or with a single column that it depends on.

    Args:
        report: the metrics and labels of the tasks.
        analysis: the columns' permutation importance, as far as it was measured.
    """
    return [
        sentence
        for name, task in report.tasks.items()
        if (sentence := _doubt(name, task, analysis.tasks.get(name))) is not None
    ]


def class_doubts(tasks: Mapping[str, Task]) -> list[str]:
    """A sentence for each class that may stand for a missing label, and for classes that hardly differ."""
    sentences = []
    for name, task in tasks.items():
        missing, alike = doubtful_classes(classes_of(task), CERTAIN_MARKERS)
        sentences += [
            f"task {name}: class '{value}' may stand for a missing label; if it does, take it out of classes and write "
            f"data.null_values: {{{task.label}: ['{value}']}}"
            for value in missing
        ]
        sentences += [
            f"task {name}: the classes {', '.join(map(repr, variants))} differ in case or blanks only"
            for variants in alike
        ]
    return sentences


def _doubt(name: str, task: Mapping[str, Any], analysis: TaskAnalysis | None) -> str | None:
    metrics, labelled = task.get("metrics", {}), task.get("labelled", {})
    enough = labelled.get("eval", 0) >= FEWEST_LABELS
    reached = [name for name, value in metrics.items() if enough and _is_implausible(task, name, value)]
    dominant = _dominant(analysis.importance, analysis.importance_base) if analysis else None
    known = "known when a prediction is needed, or does"
    question = f"is it {known} it hold the answer?"
    carries = f"column '{dominant[0]}' carries {100 * dominant[1]:.0f} % of the importance" if dominant else ""
    if reached:
        metric = reached[0]
        good = f"task {name}: {metric} {metrics[metric]:.4f} is implausibly good"
        return f"{good}; {carries}: {question}" if carries else f"{good}: is every column {known} one hold the answer?"
    return f"task {name}: {carries}: {question}" if carries else None


def _is_implausible(task: Mapping[str, Any], metric: str, value: float | None) -> bool:
    known = reported_metric(task, metric)
    return value is not None and known is not None and known.implausible is not None and value >= known.implausible


def _dominant(importance: Sequence[Importance], base: float | None) -> tuple[str, float] | None:
    """The column that carries nearly all importance, and its share; None if there is none."""
    useful = [item for item in importance if item.worse > 0]
    if len(importance) < FEWEST_COLUMNS or not useful or base is None:
        return None
    first = max(useful, key=lambda item: item.worse)
    share = first.worse / sum(item.worse for item in useful)
    matters = first.beyond_chance and first.worse >= LEAST_HARM * abs(base)
    return (first.column, share) if matters and share >= NEARLY_ALL else None
