"""What networks share: how often an image can be halved, the initial weights, and how feature maps lie in memory."""

import torch
from torch import Tensor, nn

from colorizer.core.errors import UserError
from colorizer.core.hints import PLANES
from colorizer.core.lab import Normalization


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


def normalized_hints(hints: Tensor, normalization: Normalization) -> Tensor:
    """Normalise planes of hints (N, 3, H, W) float: A and B to [-1, 1], 0 where they are unknown; the mask stays."""
    chroma, known = hints[:, :2], hints[:, 2:]
    return torch.cat([normalization.chroma(chroma) * known, known], dim=1)


def no_hints_for(lightness: Tensor) -> Tensor:
    """Make the hints (N, 3, H, W) of lightness (N, 1, H, W) of which no colour is known."""
    return torch.zeros_like(lightness).expand(-1, PLANES, -1, -1)


def dense(x: Tensor) -> Tensor:
    """Copy feature maps (N, C, H, W) to dense memory, channels last, unless they lie so already."""
    return x.contiguous(memory_format=torch.channels_last)
