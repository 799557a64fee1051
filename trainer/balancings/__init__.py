"""Balancing: how the tasks' losses become one gradient. A new kind is one module and one line in `BALANCINGS`."""

from collections.abc import Mapping

from janus_core.progress import PROGRESS
from trainer.balancings.base import BalancedTask, Balancing, GradientCombination, LossWeighting, Step
from trainer.balancings.cagrad import Cagrad
from trainer.balancings.dwa import Dwa
from trainer.balancings.famo import Famo
from trainer.balancings.fixed import Fixed
from trainer.balancings.gradnorm import GradNorm
from trainer.balancings.pcgrad import Pcgrad
from trainer.balancings.uncertainty import Uncertainty
from trainer.config import FixedBalancing, TrainerConfig
from trainer.heads.base import Head
from trainer.network import Network

__all__ = [
    "BALANCINGS",
    "BalancedTask",
    "Balancing",
    "GradientCombination",
    "LossWeighting",
    "Step",
    "last_shared_variables",
    "make_balancing",
]

BALANCINGS: dict[str, type[Balancing]] = {
    "fixed": Fixed,
    "uncertainty": Uncertainty,
    "dwa": Dwa,
    "gradnorm": GradNorm,
    "pcgrad": Pcgrad,
    "cagrad": Cagrad,
    "famo": Famo,
}


def make_balancing(config: TrainerConfig, heads: Mapping[str, Head], network: Network) -> Balancing:
    """The balancing of a configuration, or `fixed` where there is nothing to balance, which is noted in the log."""
    settings = config.model.balancing
    tasks = [BalancedTask(name, task, heads[name].trivial_loss()) for name, task in config.tasks.items()]
    reason = None if settings.kind == "fixed" else _nothing_to_balance(config, network)
    if reason:
        PROGRESS.info("balancing: fixed instead of %s, because %s", settings.kind, reason)
        settings = FixedBalancing()
    return BALANCINGS[settings.kind](settings, tasks, config.seed)


def last_shared_variables(network: Network) -> list:
    """The variables of the last layers that tasks share."""
    return [variable for layer in network.last_shared for variable in layer.trainable_variables]


def _nothing_to_balance(config: TrainerConfig, network: Network) -> str | None:
    if sum(task.loss_weight > 0 for task in config.tasks.values()) < 2:
        return "only one task has a loss_weight above 0" if len(config.tasks) > 1 else "there is only one task"
    if not network.shared_variables:
        return f"the tasks share no layer (model.trunk.kind: {config.model.trunk.kind})"
    if config.model.balancing.kind == "gradnorm" and not last_shared_variables(network):
        return f"the trunk {config.model.trunk.kind} has no last shared layer"
    return None
