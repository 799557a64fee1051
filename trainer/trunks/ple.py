"""Progressive layered extraction."""

from collections.abc import Sequence

from trainer.config import PleTrunk
from trainer.trunks.base import Encode, Gate, Trunk
from trainer.trunks.extraction import SHARED, extract


def ple(config: PleTrunk, encode: Encode, tasks: Sequence[str]) -> Trunk:
    """Levels of shared experts and each task's own.

    Tang et al. 2020, "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL) Model for Personalized
    Recommendations", section 4.2: at each level above the first, task k's experts and its gate read what task k's gate
    gave one level below, g^{k,j}(x) = w^{k,j}(g^{k,j-1}(x)) S^{k,j}(x), and the shared experts and the shared gate read
    what the shared gate gave. The last level has no shared gate: it is `cgc`.
    """
    hidden = dict.fromkeys([*tasks, SHARED], encode(""))
    gates: dict[str, Gate] = {}
    for number in range(config.levels):
        last = number == config.levels - 1
        level = extract(config, hidden, tasks, name=f"level_{number}_", shared_gate=not last)
        hidden = level.outputs
        gates.update({f"{owner}/level_{number}": gate for owner, gate in level.gates.items()})
    return Trunk(towers=hidden, gates=gates, last_shared=[level.last_shared])
