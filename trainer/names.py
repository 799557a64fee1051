"""Names of the transformed features that Transform writes and the Trainer and Evaluator read."""


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
