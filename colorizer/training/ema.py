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
    counts the updates; set it when a training resumes.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.decay = decay
        self.num_updates = 0
        self.module = copy.deepcopy(network).requires_grad_(False) if decay else network
        self._frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Move the average towards the current weights: average = d x average + (1 - d) x weights."""
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        self.num_updates += 1
        if not self.decay:
            return
        current = network.state_dict()
        for name, average in self.module.state_dict().items():
            if name in self._frozen:
                continue
            if average.is_floating_point():
                average.lerp_(current[name], 1 - decay)
            else:
                average.copy_(current[name])  # the number of batches that batch norm has seen
