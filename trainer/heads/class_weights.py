"""`class_weights`: how much each class counts in the loss."""

from typing import Any

import numpy as np


def class_weights(task: Any, frequencies: np.ndarray) -> np.ndarray | None:
    """Each class's factor in the loss.

    Args:
        task: its configuration; `balanced` gives 1 / (present classes · frequency), which is 1 on average over the
            rows (King and Zeng 2001, "Logistic Regression in Rare Events Data").
        frequencies: [classes], of the training labels; a class that is absent there has factor 1.

    Returns:
        float32 [classes]; None where the task has no class weights.
    """
    weights = getattr(task, "class_weights", None)
    if weights is None:
        return None
    if weights == "balanced":
        present = frequencies > 0
        return np.where(present, 1 / np.where(present, frequencies * present.sum(), 1.0), 1.0).astype(np.float32)
    return np.array([weights.get(name, 1.0) for name in task.classes], np.float32)


def weighted_frequencies(frequencies: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Frequencies by class weight, float64 [classes], summing to what they did."""
    if weights is None:
        return frequencies
    weighted = frequencies * weights
    return weighted / weighted.sum()
