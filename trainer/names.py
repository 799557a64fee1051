"""Names of the transformed features that Transform writes and the Trainer and Evaluator read."""


def label_name(task: str) -> str:
    """The task's label: float32 in its own unit, or int64 class index; 0 where it is missing."""
    return f"{task}/label"


def weight_name(task: str) -> str:
    """The task's weight: float32, 1 where the label is present, else 0."""
    return f"{task}/weight"


def missing_name(feature: str) -> str:
    """The feature's missing indicator: float32, 1 where the value is missing, else 0."""
    return f"{feature}.missing"
