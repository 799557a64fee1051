"""Names of transformed features, as Transform writes and Trainer and Evaluator read them, and of columns in code."""

import keyword
import re
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


def column_arguments(columns: Collection[str]) -> dict[str, str]:
    """Column → the argument that stands for it in the exported function of `serving_columns`.

    It is the column's own name where Python and TensorFlow take that for an argument's: they refuse `class`, and would
    change `length (cm)`. Another depends on nothing but the columns' names. SignatureDefs have the columns' own.
    """
    arguments = {}
    for place, name in enumerate(sorted(columns)):
        argument = name
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or keyword.iskeyword(name) or name == "self":
            argument = f"column_{place}"
            while argument in columns:
                argument += "_"
        arguments[name] = argument
    return arguments
