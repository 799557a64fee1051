"""One level of shared experts and each task's own: what `cgc` is, and what `ple` stacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from trainer.config import CgcTrunk, PleTrunk
from trainer.trunks.base import Gate
from trainer.trunks.experts import make_bank, mix

SHARED = "shared"
"""Stands where a task's name stands, for experts and gates of all tasks."""


@dataclass(frozen=True)
class Extraction:
    """A level's results.

    Attributes:
        outputs: by task, and by SHARED where there is a shared gate: [batch, units].
        gates: by the same keys.
        last_shared: the shared experts' last layer.
    """

    outputs: dict[str, Any]
    gates: dict[str, Gate]
    last_shared: keras.layers.Layer


def extract(
    config: CgcTrunk | PleTrunk, inputs: Mapping[str, Any], tasks: Sequence[str], name: str, shared_gate: bool
) -> Extraction:
    """One level of customised gate control (Tang et al. 2020, section 4.1).

    Task k's gate, softmax(W_g^k x), weighs its own m_k experts and the m_s shared ones, in this order; no other
    task's. A shared gate weighs all experts. Shared and own experts lie in layers of their own, so that the graph
    shows what is shared. Experts are named `<task>_<n>` and `shared_<n>`.

    Args:
        config: of which `shared_experts`, `task_experts`, `units`, `activation` and `dropout` count.
        inputs: by task, what its experts and its gate read; by SHARED, what the shared ones read; [batch, width].
        tasks: names of the tasks.
        name: of the level, which enters the layers' names.
        shared_gate: whether a level above needs it.
    """
    counts = {**dict.fromkeys(tasks, config.task_experts), SHARED: config.shared_experts}
    banks = {
        owner: make_bank(config, [f"{owner}_{index}" for index in range(count)], inputs[owner], f"{owner}.{name}")
        for owner, count in counts.items()
    }
    selected = {task: [banks[task], banks[SHARED]] for task in tasks}
    if shared_gate:
        selected[SHARED] = list(banks.values())
    mixed = {owner: mix(inputs[owner], chosen, f"{owner}.{name}") for owner, chosen in selected.items()}
    return Extraction(
        outputs={owner: hidden for owner, (hidden, _) in mixed.items()},
        gates={owner: gate for owner, (_, gate) in mixed.items()},
        last_shared=banks[SHARED].last,
    )
