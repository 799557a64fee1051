"""Trunks: the part of the network that the tasks share. A new kind is one module and one line in `TRUNKS`."""

from trainer.trunks.base import BuildTrunk, Gate, Trunk
from trainer.trunks.cgc import cgc
from trainer.trunks.cross_stitch import cross_stitch
from trainer.trunks.independent import independent
from trainer.trunks.mmoe import mmoe
from trainer.trunks.ple import ple
from trainer.trunks.shared_bottom import shared_bottom

__all__ = ["TRUNKS", "BuildTrunk", "Gate", "Trunk"]

TRUNKS: dict[str, BuildTrunk] = {
    "shared_bottom": shared_bottom,
    "mmoe": mmoe,
    "cgc": cgc,
    "ple": ple,
    "cross_stitch": cross_stitch,
    "none": independent,
}
