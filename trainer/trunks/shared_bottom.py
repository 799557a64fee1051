"""One stack of layers for all tasks."""

from collections.abc import Sequence

from trainer.config import SharedBottomTrunk
from trainer.trunks.base import Encode, Trunk
from trainer.trunks.stack import dense_stack


def shared_bottom(config: SharedBottomTrunk, encode: Encode, tasks: Sequence[str]) -> Trunk:
    """One stack of dense layers whose output every tower reads (Caruana 1997, "Multitask Learning")."""
    hidden, last = dense_stack(config, encode(""), prefix="")
    return Trunk(towers=dict.fromkeys(tasks, hidden), last_shared=[last])
