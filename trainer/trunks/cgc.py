"""Customised gate control."""

from collections.abc import Sequence

from trainer.config import CgcTrunk
from trainer.trunks.base import Encode, Trunk
from trainer.trunks.extraction import SHARED, extract


def cgc(config: CgcTrunk, encode: Encode, tasks: Sequence[str]) -> Trunk:
    """Shared experts and each task's own, weighed by a gate per task.

    Tang et al. 2020, "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL) Model for Personalized
    Recommendations", section 4.1. See `extract`.
    """
    inputs = dict.fromkeys([*tasks, SHARED], encode(""))
    level = extract(config, inputs, tasks, name="", shared_gate=False)
    return Trunk(towers=level.outputs, gates=level.gates, last_shared=[level.last_shared])
