"""Exponential moving average (EMA) of a network's weights."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class EMA(Generic[Network]):
    """Keeps a copy of a network whose weights and batch-norm statistics are a moving average of the network's own.

    `module` is that copy, without gradients; with a `decay` of 0 it is the network itself and `update` does nothing.
    Weights that are frozen when the average begins never change, so `update` leaves them out. The decay grows from 0.1
    to `decay` over the first updates: the random initial weights would weigh in for long otherwise. `num_updates`
    counts the updates; set it when a training resumes. The network's weights may change in place only.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.decay = decay
        self.num_updates = 0
        self.module = copy.deepcopy(network).requires_grad_(False) if decay else network
        frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}
        averages, current = self.module.state_dict(), network.state_dict()
        names = [name for name in averages if name not in frozen]
        weights = [name for name in names if averages[name].is_floating_point()]
        counts = [name for name in names if not averages[name].is_floating_point()]  # batches that batch norm has seen
        self._weights = [averages[name] for name in weights], [current[name] for name in weights]
        self._counts = [averages[name] for name in counts], [current[name] for name in counts]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights: average = d x average + (1 - d) x weights."""
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        self.num_updates += 1
        if not self.decay:
            return
        torch._foreach_lerp_(*self._weights, 1 - decay)
        if self._counts[0]:
            torch._foreach_copy_(*self._counts)
