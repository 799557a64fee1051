"""Names of transformed features, which Transform writes and Trainer and Evaluator read, and of columns in code."""

import keyword
import re
from collections import Counter
from collections.abc import Collection


def label_name(task: str) -> str:
    """The task's label; 0 where it is missing.

    float32 [1] in its own unit; int64 [1], the index of a class; float32 [classes], 1 for each class that applies;
    float32 [4], a box; or int64 [length], the index of each token's tag, -1 where there is none.
    """
    return f"{task}/label"


def weight_name(task: str) -> str:
    """The task's weight, float32 [1]: 0 where the label is missing, else the row's sample weight, 1 by default."""
    return f"{task}/weight"


TIME = "split.time"
"""The point in time by which the rows are split, [1], as the table has it; there if `training.validation` needs it."""


def missing_name(feature: str) -> str:
    """The feature's missing indicator: float32, 1 where the value is missing, else 0."""
    return f"{feature}.missing"


def vocabulary_name(feature: str) -> str:
    """The name of the feature's vocabulary in Transform's output."""
    return f"{feature}_vocabulary"


def log_name(task: str) -> str:
    """The task's name in Keras's logs, and so in `history.json` and TensorBoard: its own name, if possible.

    Keras adds the prefix `val_` to validation values, and `balanced_loss` belongs to all tasks. A task called `val`,
    `val_…` or `balanced` would share its keys with other values, and gets a prefix.
    """
    return f"task_{task}" if re.match(r"(val|val_.*|balanced|task_.*)\Z", task) else task


def column_arguments(columns: Collection[str]) -> dict[str, str]:
    """Column → its argument in the exported function of `serving_columns`.

    This is the column's own name if Python and TensorFlow accept it as an argument's name: they refuse `class`, change
    `length (cm)`, and do not distinguish `Temp` from `temp`. A substitute depends on the columns' names only.
    SignatureDefs always have the columns' own names.
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
