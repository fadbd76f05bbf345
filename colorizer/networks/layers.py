"""What networks share: sizes, initial weights, hints, and how feature maps lie in memory."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization

_EMBEDDED = 16  # numbers by which a place is compared with others


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


class HintSpread(nn.Module):
    """Correct predicted chroma by what is known: chroma (N, 2, h, w), features (N, C, h', w') -> chroma (N, 2, h, w).

    At every hint the prediction is wrong by some difference. Each place of the image takes the mean of these
    differences, weighted by how alike it is to the place of the hint: exp(-d^2), where d is the distance between the
    features of the two, as `embed` has learnt to see them, and between the two places, in units of a learnt reach. Far
    from all hints the weights are small beside the learnt `floor`, so that the prediction stays. Computed at half the
    size of the image.

    Like Levin et al., "Colorization using Optimization" (2004), it spreads colours to what looks alike. But what looks
    alike is learnt, and what is spread is a correction.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, _EMBEDDED, 1, bias=False)
        nn.init.normal_(self.embed.weight, 0.0, 0.1)
        self.log_reach = nn.Parameter(torch.tensor(math.log(4.0)))  # pixels
        self.log_floor = nn.Parameter(torch.tensor(math.log(0.05)))

    def forward(self, chroma: Tensor, features: Tensor, hints: Tensor) -> Tensor:
        """Correct chroma by `normalized_hints` (N, 3, H, W); `features` are those that it was predicted from."""
        size = [side // 2 for side in hints.shape[-2:]]
        places = resize(self.embed(features), size).to(hints.dtype)
        with torch.autocast(hints.device.type, enabled=False):  # differences of squares need all digits
            known = _known_in_cells(hints, size)
            wrong = known[:, :2] - resize(chroma.to(hints.dtype), size)
            correction = self._spread(self._with_position(places), wrong.flatten(2), known[:, 2].flatten(1))
            correction = resize(correction.unflatten(-1, size), chroma.shape[-2:])
        return chroma + correction.to(chroma.dtype)

    def _with_position(self, places: Tensor) -> Tensor:
        """Places (N, E, h, w) -> (N, E + 2, h w), the last two of which are row and column in units of the reach."""
        one = places[:, :1]
        unit = torch.exp(-self.log_reach)
        rows = (torch.arange(places.shape[2], device=places.device) * unit)[:, None].expand_as(one)
        columns = (torch.arange(places.shape[3], device=places.device) * unit).expand_as(one)
        return torch.cat([places, rows, columns], dim=1).flatten(2)

    def _spread(self, places: Tensor, wrong: Tensor, known: Tensor) -> Tensor:
        """Places (N, E, P), differences (N, 2, P), which of them are known (N, P) -> corrections (N, 2, P)."""
        most: Any = known.sum(dim=1).amax().clamp(min=1).to(torch.int64)  # K: an export keeps it as a tensor
        is_hint, at = known.topk(most if torch.jit.is_tracing() else int(most), dim=1)  # (N, K)
        hints = places.gather(2, at[:, None].expand(-1, places.shape[1], -1))
        wrong = wrong.gather(2, at[:, None].expand(-1, 2, -1)) * is_hint[:, None]
        squares = hints.square().sum(dim=1)[:, :, None] + places.square().sum(dim=1)[:, None]  # (N, K, P)
        distances = torch.baddbmm(squares, hints.transpose(1, 2), places, alpha=-2).clamp(min=0)
        weights = torch.exp(-distances) * is_hint[:, :, None]
        return wrong @ weights / (weights.sum(dim=1, keepdim=True) + torch.exp(self.log_floor))


def _known_in_cells(hints: Tensor, size: Sequence[int]) -> Tensor:
    """Reduce hints (N, 3, H, W) to half the size: in each cell, the mean of the colours known and 1 if any is."""
    sums = resize(functional.avg_pool2d(hints, 2, ceil_mode=True), size)  # but for a factor
    chroma, known = sums[:, :2], sums[:, 2:]
    return torch.cat([chroma / known.clamp(min=1e-6), (known > 0).to(known.dtype)], dim=1)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Enlarge or reduce feature maps (N, C, H, W) bilinearly to `size`, unless they have it already."""
    return x if x.shape[-2:] == tuple(size) else functional.interpolate(x, size=list(size), mode="bilinear")


def dense(x: Tensor) -> Tensor:
    """Copy feature maps (N, C, H, W) to dense memory, channels last, unless they lie so already."""
    return x.contiguous(memory_format=torch.channels_last)
