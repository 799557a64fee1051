"""How far served predictions are from those that the model makes of the eval split."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.drift import JENSEN_SHANNON, L_INFINITY, bins_of, distance, text_shares

TAGS = "/tags"
"""How the name of the output ends that has a tag per token, empty at padding."""


@dataclass(frozen=True)
class PredictionDrift:
    """One task.

    Attributes:
        measure: of classes, the largest difference of a class's mean probability, or of a tag's share (L-infinity); of
            numbers, the Jensen-Shannon divergence (base 2) over the deciles of the eval split's predictions.
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
        if f"{task}{TAGS}" in expected:
            output = f"{task}{TAGS}"
        if output not in served or output not in expected:
            continue
        if output.endswith(TAGS):
            between = distance(L_INFINITY, *text_shares(_tag_shares(expected[output]), _tag_shares(served[output])))
            drifts.append(PredictionDrift(task, L_INFINITY, between, threshold))
            continue
        before, after = _answered(expected[output]), _answered(served[output])
        if not len(before) or not len(after):
            continue
        if has_classes:
            between = distance(L_INFINITY, before.mean(axis=0), after.mean(axis=0))
            drifts.append(PredictionDrift(task, L_INFINITY, between, threshold))
        else:
            # Of the edges of a box, the one that has moved most.
            numbers = [_moved(*pair) for pair in zip(before.T, after.T, strict=True)]
            between, shift = max(numbers, key=lambda number: number[0])
            drifts.append(PredictionDrift(task, JENSEN_SHANNON, between, threshold, shift))
    return drifts


def _moved(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """The divergence of one number, and the difference of its means."""
    bins = bins_of(before)
    between = distance(JENSEN_SHANNON, bins.shares(before), bins.shares(after))
    return between, float(after.mean(dtype=np.float64) - before.mean(dtype=np.float64))


def _answered(values: np.ndarray) -> np.ndarray:
    """[rows, n], without the rows that were answered by an error."""
    values = values.reshape(len(values), -1)
    return values[np.isfinite(values).all(axis=1)]


def _tag_shares(tags: np.ndarray) -> dict[str, float]:
    """Tag → its share of the tokens; padding has none."""
    names, counts = np.unique(tags[tags != b""].astype("S"), return_counts=True)
    return dict(zip(map(bytes.decode, names.tolist()), (counts / counts.sum()).tolist(), strict=True))
