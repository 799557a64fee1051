"""Turns a model's answers into the output's columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from janus_core.errors import ConfigError, ServingError
from janus_core.kinds import KINDS
from pipeline.config import JanusConfig
from serving.client import Signature
from serving.description import ModelDescription
from trainer.config import classes_of, quantiles_of

PREFIX = "predicted_"
"""Put before the predictions' columns where the input has columns of the same names, such as labels."""


@dataclass(frozen=True)
class TaskColumns:
    """A task and how the model answers it.

    Attributes:
        name: the task's.
        kind: such as `binary`.
        output: the model's output that holds its probabilities, quantiles or number.
        classes: in the order of the probabilities; else empty.
        quantiles: levels, in the order of the prediction's columns; else empty.
        classes_output: the output that names the classes, if there is one.
        decision_output: the output that names the decided class, if there is one.
        prefix: of the columns.
        dtype: of their numbers.
    """

    name: str
    kind: str
    output: str
    classes: list[str] = field(default_factory=list)
    quantiles: list[float] = field(default_factory=list)
    classes_output: str | None = None
    prefix: str = ""
    dtype: Any = np.float32
    decision_output: str | None = None

    @property
    def decides(self) -> str | None:
        """How one class is chosen; None of numbers."""
        return KINDS[self.kind].decides if self.kind in KINDS else None

    @property
    def fields(self) -> list[pa.Field]:
        """The columns: the decided, else the best class and each class's probability, each quantile, or the number."""
        whole, number = f"{self.prefix}{self.name}", pa.from_numpy_dtype(self.dtype)
        if self.quantiles:
            return [pa.field(f"{whole}.{level:g}", number) for level in self.quantiles]
        if self.classes:
            best = [] if self.decides == "each" else [pa.field(whole, pa.string())]
            return best + [pa.field(f"{whole}.{name}", number) for name in self.classes]
        return [pa.field(whole, number)]

    def columns(self, answer: Mapping[str, np.ndarray], rows: int) -> list[pa.Array]:
        """The columns' values [rows].

        Raises:
            ServingError: the answer has another shape, or other classes.
        """
        values = answer[self.output]
        width = len(self.quantiles) or len(self.classes) or 1
        values = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
        if self.decides == "threshold" and values.shape[1] == 1:
            # A model that Janus did not make may give the probability of the second class alone.
            values = np.concatenate([1 - values, values], axis=1)
        if values.shape != (rows, width):
            raise ServingError(
                f"the model's output '{self.output}' has the shape {list(answer[self.output].shape)} for {rows} rows, "
                f"but task '{self.name}' has {width} numbers per row: is it a model of another configuration?"
            )
        self._check_classes(answer)
        numbers = [pa.array(np.ascontiguousarray(column, self.dtype)) for column in values.T]
        if not self.classes or self.decides == "each":
            return numbers
        if self.decision_output is None:
            return [pa.array(self.classes).take(pa.array(values.argmax(axis=1))), *numbers]
        decided = answer[self.decision_output].reshape(rows).tolist()
        return [pa.array([name.decode(errors="replace") for name in decided], pa.string()), *numbers]

    def _check_classes(self, answer: Mapping[str, np.ndarray]) -> None:
        if self.classes_output is None or self.classes_output not in answer:
            return
        names = answer[self.classes_output]
        served = [name.decode(errors="replace") for name in names.reshape(len(names), -1)[0].tolist()]
        if served != self.classes:
            raise ServingError(
                f"the model's classes of task '{self.name}' are {', '.join(served)}, but the configuration's are "
                f"{', '.join(self.classes)}: use the configuration that the model was trained by"
            )


def tasks_of(
    config: JanusConfig, signature: Signature, description: ModelDescription | None, prefix: str = ""
) -> list[TaskColumns]:
    """The tasks, as the model describes itself, else as the configuration does.

    Raises:
        ServingError: the model has no output for one.
    """
    if description is not None:
        facts = {name: (task.kind, task.classes, task.quantiles) for name, task in description.tasks.items()}
    else:
        facts = {name: (task.kind, classes_of(task), quantiles_of(task)) for name, task in config.tasks.items()}
    return [_columns_of(name, *found, signature, prefix) for name, found in facts.items()]


def outputs_of(tasks: Sequence[TaskColumns], with_classes: bool) -> list[str]:
    """The model's outputs that the columns are made of; the classes' names, the same in all rows, only if asked for."""
    names = [task.output for task in tasks]
    names += [task.decision_output for task in tasks if task.decision_output is not None]
    return names + [task.classes_output for task in tasks if with_classes and task.classes_output is not None]


def named_apart(tasks: Sequence[TaskColumns], columns: Sequence[str], prefix: str | None) -> list[TaskColumns]:
    """The tasks, with `PREFIX` in all their columns' names where one has the name of a column of the input.

    Args:
        tasks: without a prefix, or with the one that was asked for.
        columns: the input's, as far as the output repeats them.
        prefix: that was asked for; None if none was.

    Raises:
        ConfigError: the prefix that was asked for does not keep them apart, or `PREFIX` would not.
    """
    taken = _taken(tasks, columns)
    if taken and prefix is None:
        tasks = [replace(task, prefix=PREFIX) for task in tasks]
        taken = _taken(tasks, columns)
    if taken:
        raise ConfigError(
            f"the input has columns that are called like predictions: {', '.join(taken)}; give another --prefix, or "
            "--only-predictions"
        )
    return list(tasks)


def _taken(tasks: Sequence[TaskColumns], columns: Sequence[str]) -> list[str]:
    return [field.name for task in tasks for field in task.fields if field.name in columns]


def _columns_of(
    name: str, kind: str, classes: list[str], levels: list[float], signature: Signature, prefix: str
) -> TaskColumns:
    part = "quantiles" if levels else "probabilities" if classes else ""
    candidates = [f"{name}/{part}", name] if part and not (levels and len(levels) == 1) else [name]
    found = [candidate for candidate in candidates if candidate in signature.outputs]
    if not found:
        raise ServingError(
            f"the model has no output for task '{name}'; it has {', '.join(sorted(signature.outputs))}: "
            "is it a model of another configuration?"
        )
    names, decision = (
        output if output in signature.outputs else None for output in (f"{name}/classes", f"{name}/decision")
    )
    # A label with an offset is predicted in 64 bits.
    dtype = np.float64 if signature.outputs[found[0]].numpy == np.float64 else np.float32
    return TaskColumns(name, kind, found[0], classes, levels, names, prefix, dtype, decision)
