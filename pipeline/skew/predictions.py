"""How far served predictions are from those that the model makes of the eval split."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 10


@dataclass(frozen=True)
class PredictionDrift:
    """One task.

    Attributes:
        task: its name.
        measure: of classes, the largest difference of a class's mean probability (L-infinity); of numbers, the
            Jensen-Shannon divergence (base 2) over the deciles of the eval split's predictions.
        distance: from 0 to 1.
        threshold: None: no verdict.
        shift: of numbers, the difference of the means in the label's unit; else None.
    """

    task: str
    measure: str
    distance: float
    threshold: float | None
    shift: float | None = None

    @property
    def drifted(self) -> bool:
        """Whether it is past its threshold."""
        return self.threshold is not None and self.distance > self.threshold

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "drifted": self.drifted}


def prediction_drifts(
    expected: Mapping[str, np.ndarray],
    served: Mapping[str, np.ndarray],
    tasks: Mapping[str, bool],
    threshold: float | None,
) -> list[PredictionDrift]:
    """Each task's distance, of those whose answers were logged.

    Args:
        expected: output → [rows, …] of the eval split.
        served: the same of the log.
        tasks: task → whether it has classes.
        threshold: of all tasks.
    """
    drifts = []
    for task, has_classes in tasks.items():
        output = f"{task}/probabilities" if has_classes else task
        if output not in served or output not in expected:
            continue
        before, after = expected[output], served[output]
        if has_classes:
            distance = float(np.abs(before.mean(axis=0) - after.mean(axis=0)).max())
            drifts.append(PredictionDrift(task, "L-infinity", distance, threshold))
        else:
            before, after = before.reshape(len(before), -1)[:, 0], after.reshape(len(after), -1)[:, 0]
            shift = float(after.mean(dtype=np.float64) - before.mean(dtype=np.float64))
            drifts.append(
                PredictionDrift(task, "Jensen-Shannon", jensen_shannon(*_shares(before, after)), threshold, shift)
            )
    return drifts


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> float:
    """The divergence of two distributions over the same bins, in bits (Lin 1991)."""
    middle = (first + second) / 2
    return float(sum(_relative_entropy(shares, middle) for shares in (first, second)) / 2)


def _relative_entropy(shares: np.ndarray, of: np.ndarray) -> float:
    there = shares > 0
    return float(np.sum(shares[there] * np.log2(shares[there] / of[there])))


def _shares(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    counts = [np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) for values in (before, after)]
    return counts[0] / counts[0].sum(), counts[1] / counts[1].sum()
