"""How far served predictions are from those that the model makes of the eval split."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.drift import JENSEN_SHANNON, L_INFINITY, bins_of, distance


@dataclass(frozen=True)
class PredictionDrift:
    """One task.

    Attributes:
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
    """Each task's distance, of those whose answers were logged; `tasks` says which have classes.

    `expected` and `served` are output → [rows, …], of the eval split and of the log.
    """
    drifts = []
    for task, has_classes in tasks.items():
        output = f"{task}/probabilities" if has_classes else task
        if output not in served or output not in expected:
            continue
        before, after = expected[output], served[output]
        if has_classes:
            between = distance(L_INFINITY, before.mean(axis=0), after.mean(axis=0))
            drifts.append(PredictionDrift(task, L_INFINITY, between, threshold))
        else:
            before, after = before.reshape(len(before), -1)[:, 0], after.reshape(len(after), -1)[:, 0]
            shift = float(after.mean(dtype=np.float64) - before.mean(dtype=np.float64))
            bins = bins_of(before)
            between = distance(JENSEN_SHANNON, bins.shares(before), bins.shares(after))
            drifts.append(PredictionDrift(task, JENSEN_SHANNON, between, threshold, shift))
    return drifts
