"""The optimizer and the learning rate schedule of both networks."""

from typing import Any

import torch
from torch import Tensor


class ChannelsLastAdam(torch.optim.Adam):
    """torch.optim.Adam, fused, with weights, gradients and moments handed over in the order in which they lie.

    PyTorch 2.13 on a CPU copies every weight that is channels last in each step, and takes a gradient for one in the
    order of its weight even when it is not: silently, other weights would get it.
    """

    # As inherited, these import PyTorch's compiler, which takes more than a second, to tell it to leave them alone.
    add_param_group = torch.optim.Optimizer.add_param_group.__wrapped__  # type: ignore[attr-defined]
    zero_grad = torch.optim.Optimizer.zero_grad.__wrapped__  # type: ignore[attr-defined]
    step = torch.no_grad()(torch.optim.Adam.step.__wrapped__)  # type: ignore[attr-defined]

    def __init__(self, weights: Any, learning_rate: float, betas: tuple[float, float]) -> None:
        super().__init__(weights, lr=learning_rate, betas=betas, fused=True)

    def _init_group(self, group: dict, *lists: list[Tensor]) -> bool:
        has_complex = super()._init_group(group, *lists)
        for tensors in lists[:-1]:  # the last are the numbers of steps
            tensors[:] = [tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor for tensor in tensors]
        weights, gradients, *moments = lists[:4]
        assert all(tensor.is_contiguous() for tensors in (weights, *moments) for tensor in tensors)
        gradients[:] = [gradient.contiguous() for gradient in gradients]  # as they are, or else put in order
        return has_complex


def linear_decay(learning_rate: float, epoch: int, *, epochs: int, decay_epochs: int) -> float:
    """Return the learning rate of an epoch (1, 2, ...): constant at first, then falling to 0 in equal steps.

    It falls in the last `decay_epochs` epochs, and would be 0 in the epoch after the last one.
    Source: the training schedule of Isola et al. (2017).
    """
    return learning_rate * min(1.0, (epochs - epoch + 1) / (decay_epochs + 1))
