"""What networks share: how often an image can be halved, the initial weights, and the layout of feature maps."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable

from colorizer.core.errors import UserError


def max_num_downs(image_size: int) -> int:
    """Return how often images of this side can be halved and still leave 2 pixels.

    One pixel would be too few: batch normalisation over a single 1 x 1 image has no deviation.
    """
    return max(0, image_size.bit_length() - 2)


def check_num_downs(num_downs: int, image_size: int, name: str) -> None:
    """Raise UserError when images of this side (H or W, the smaller) cannot be halved that often."""
    if not 1 <= num_downs <= max_num_downs(image_size):
        raise UserError(
            f"{name} is {num_downs}, but images of {image_size} px cannot be halved that often: "
            f"at most {max_num_downs(image_size)}, so that 2 px are left"
        )


def init_weights(module: nn.Module) -> None:
    """Draw the weights of a layer from N(0, 0.02) and set its bias to 0, as Isola et al. (2017) do."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def dense(x: Tensor) -> Tensor:
    """Copy feature maps (N, C, H, W) to dense memory, channels last, unless they lie so already."""
    return x.contiguous(memory_format=torch.channels_last)


def concatenate(*parts: Tensor) -> Tensor:
    """Put feature maps (N, C, H, W) of the same size beside each other: (N, C + C' + ..., H, W), as torch.cat does.

    Gradients come back `dense`. Those of torch.cat are views into the whole, for which some of PyTorch's operators need
    eight times as long.
    """
    return _Concatenation.apply(*parts) if torch.is_grad_enabled() else torch.cat(parts, dim=1)


class _Concatenation(Function):
    @staticmethod
    def forward(ctx: Any, *parts: Tensor) -> Tensor:
        ctx.channels = [part.shape[1] for part in parts]
        return torch.cat(parts, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        return tuple(map(dense, grad.split(ctx.channels, dim=1)))
