"""One head per kind of task: its loss, its outputs, its headline metric. A new kind is one module and one line."""

from trainer.config import Task
from trainer.heads import binary, multiclass, regression
from trainer.heads.base import Head
from trainer.label_statistics import LabelStatistics

HEADS: dict[str, type[Head]] = {
    "binary": binary.BinaryHead,
    "multiclass": multiclass.MulticlassHead,
    "regression": regression.RegressionHead,
}


def make_head(name: str, task: Task, statistics: LabelStatistics) -> Head:
    """The head of the task `name`."""
    return HEADS[task.kind](name, task, statistics)
