"""One head per kind of task: its layers, loss, outputs and headline metric. A new kind is one module and one line."""

from collections.abc import Mapping

from trainer.config import Task, dependency_order, given_of
from trainer.heads import (
    binary,
    box,
    conditional,
    count,
    multiclass,
    multilabel,
    ordinal,
    quantile,
    regression,
    sequence_tags,
)
from trainer.heads.base import Head
from trainer.label_statistics import LabelStatistics

HEADS: dict[str, type[Head]] = {
    "binary": binary.BinaryHead,
    "multiclass": multiclass.MulticlassHead,
    "ordinal": ordinal.OrdinalHead,
    "multilabel": multilabel.MultilabelHead,
    "regression": regression.RegressionHead,
    "count": count.CountHead,
    "box": box.BoxHead,
    "sequence_tags": sequence_tags.SequenceTagsHead,
}
QUANTILE_LOSS = "quantile"


def make_head(name: str, task: Task, statistics: LabelStatistics, given: Head | None = None) -> Head:
    """The head of the task `name`; `given` is the head of the task that it is conditioned on."""
    if isinstance(given, binary.BinaryHead):
        return conditional.ConditionalHead(name, task, statistics, given)
    if task.loss == QUANTILE_LOSS:
        return quantile.QuantileHead(name, task, statistics)
    return HEADS[task.kind](name, task, statistics)


def heads_of(tasks: Mapping[str, Task], statistics: Mapping[str, LabelStatistics]) -> dict[str, Head]:
    """The heads of all tasks, in the configuration's order."""
    heads: dict[str, Head] = {}
    for name in dependency_order(tasks):
        given = given_of(tasks[name])
        heads[name] = make_head(name, tasks[name], statistics[name], heads[given] if given else None)
    return {name: heads[name] for name in tasks}
