"""Trunks: the part of the network that the tasks share. A new kind is one module and one line in `TRUNKS`."""

from trainer.trunks.base import BuildTrunk, Trunk
from trainer.trunks.shared_bottom import shared_bottom

__all__ = ["TRUNKS", "BuildTrunk", "Trunk"]

TRUNKS: dict[str, BuildTrunk] = {"shared_bottom": shared_bottom}
