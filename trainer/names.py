"""Names of transformed features, as Transform writes and Trainer and Evaluator read them, and of columns in code."""

import keyword
import re
from collections import Counter
from collections.abc import Collection


def label_name(task: str) -> str:
    """The task's label; 0 where it is missing.

    float32 [1] in its own unit; int64 [1], the index of a class; or float32 [classes], 1 for each class that applies.
    """
    return f"{task}/label"


def weight_name(task: str) -> str:
    """The task's weight, float32 [1]: 0 where the label is missing, else the row's sample weight, 1 by default."""
    return f"{task}/weight"


def missing_name(feature: str) -> str:
    """The feature's missing indicator: float32, 1 where the value is missing, else 0."""
    return f"{feature}.missing"


def log_name(task: str) -> str:
    """What the task is called in Keras's logs, and so in `history.json` and TensorBoard: its own name, if it can be.

    Keras puts `val_` before what it logs of the validation, and `balanced_loss` is of all tasks: a task called `val`,
    `val_…` or `balanced` would share its keys with other values, and gets a prefix.
    """
    return f"task_{task}" if re.match(r"(val|val_.*|balanced|task_.*)\Z", task) else task


def column_arguments(columns: Collection[str]) -> dict[str, str]:
    """Column → the argument that stands for it in the exported function of `serving_columns`.

    It is the column's own name where Python and TensorFlow take that for an argument's: they refuse `class`, would
    change `length (cm)`, and take `Temp` and `temp` for one name. Another depends on nothing but the columns' names.
    SignatureDefs have the columns' own.
    """
    lower = Counter(name.lower() for name in columns)
    arguments = {}
    for place, name in enumerate(sorted(columns)):
        argument = name
        plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) and not keyword.iskeyword(name) and name != "self"
        if not plain or lower[name.lower()] > 1:
            argument = f"column_{place}"
            while argument in lower:
                argument += "_"
        arguments[name] = argument
    return arguments
