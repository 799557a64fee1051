"""Nothing shared: as many networks as tasks, in one graph."""

from collections.abc import Sequence

from trainer.config import IndependentTrunk
from trainer.trunks.base import Encode, Trunk
from trainer.trunks.stack import dense_stack


def independent(config: IndependentTrunk, encode: Encode, tasks: Sequence[str]) -> Trunk:
    """Encoders and a stack of dense layers for each task: the single-task limit, trained in one pass over the data."""
    return Trunk(towers={task: dense_stack(config, encode(f"{task}."), prefix=f"{task}.")[0] for task in tasks})
