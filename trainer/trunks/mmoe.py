"""Multi-gate mixture of experts."""

from collections.abc import Sequence

from trainer.config import MmoeTrunk
from trainer.trunks.base import Encode, Trunk
from trainer.trunks.experts import make_bank, mix


def mmoe(config: MmoeTrunk, encode: Encode, tasks: Sequence[str]) -> Trunk:
    """Experts that all tasks share, weighed for each task by its own gate.

    Ma et al. 2018, "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", section
    4.2: task k's tower reads the sum over the experts i of g^k(x)_i · f_i(x) (eq. 6), with g^k(x) = softmax(W_gk x)
    (eq. 7). Experts are named `expert_<n>`.
    """
    features = encode("")
    bank = make_bank(config, [f"expert_{index}" for index in range(config.experts)], features, prefix="")
    mixed = {task: mix(features, [bank], f"{task}.") for task in tasks}
    return Trunk(
        towers={task: hidden for task, (hidden, _) in mixed.items()},
        gates={task: gate for task, (_, gate) in mixed.items()},
        last_shared=[bank.last],
    )
