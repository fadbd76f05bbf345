"""What networks share: sizes, initial weights, hints, and how feature maps lie in memory."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization

_EMBEDDED = 16  # learnt numbers by which places are compared
_ROUNDS = 16  # more of them follow hints that contradict each other too closely


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
    """Correct predicted chroma by what is known of it.

    At every hint the prediction is wrong by some difference. A place of the image takes a mean of these differences,
    weighted by how alike it is to the place of each hint, exp(-d^2), and `_ROUNDS` times what is still wrong at the
    hints is spread again. d is the distance between the two places in the image, in their lightness, and in what
    `embed` has learnt to see of them. Far from all hints the weights are small beside a learnt floor, so that the
    prediction stays. All is computed at half the size of the image.

    As Levin et al. do, "Colorization using Optimization" (2004), it spreads colours to what is alike, but here what is
    alike is learnt, and what is spread is a correction. Source of the method: Nadaraya and Watson (1964), a mean
    weighted by a kernel; Wilson et al., "Deep Kernel Learning" (2016).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # the weights of other layers are those that they are without this one
            self.embed = nn.Sequential(
                nn.Conv2d(channels, 32, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(32, _EMBEDDED, 1, bias=False),
            )
        self.log_reach = nn.Parameter(torch.tensor(8.0).log())  # pixels at half the size, for a d of 1
        self.log_contrast = nn.Parameter(torch.tensor(4.0).log())  # d per normalised lightness
        self.log_floor = nn.Parameter(torch.tensor(1.0).log())  # weight of the prediction

    def forward(self, chroma: Tensor, features: Tensor, lightness: Tensor, hints: Tensor) -> Tensor:
        """Correct chroma (N, 2, h, w) that was predicted from features (N, C, h', w').

        `lightness` (N, 1, H, W) and `normalized_hints` (N, 3, H, W) are those of the image.
        """
        size = [side // 2 for side in hints.shape[-2:]]
        embedded, lightness = self.embed(resize(features, size)), resize(lightness, size)
        with torch.autocast(hints.device.type, enabled=False):  # differences of squares need all digits
            places = self._places(embedded.to(hints.dtype), lightness)
            known = _known_in_cells(hints, size)
            wrong = known[:, :2] - resize(chroma.to(hints.dtype), size)
            correction = self._spread(places, wrong.flatten(2), known[:, 2].flatten(1)).unflatten(-1, size)
            return chroma + resize(correction, chroma.shape[-2:]).to(chroma.dtype)

    def _places(self, embedded: Tensor, lightness: Tensor) -> Tensor:
        """Describe every place so that d is the distance: embedded (N, E, h, w) -> (N, E + 3, h w)."""
        height, width = embedded.shape[-2:]
        unit = torch.exp(-self.log_reach)
        rows = (torch.arange(height, device=embedded.device) * unit)[:, None].expand_as(lightness)
        columns = (torch.arange(width, device=embedded.device) * unit).expand_as(lightness)
        return torch.cat([embedded, rows, columns, lightness * torch.exp(self.log_contrast)], dim=1).flatten(2)

    def _spread(self, places: Tensor, wrong: Tensor, known: Tensor) -> Tensor:
        """Places (N, E, P), differences (N, 2, P), 1 where they are known (N, P) -> corrections (N, 2, P)."""
        most: Any = known.sum(dim=1).amax().clamp(min=1).to(torch.int64)  # K; an export keeps it as a tensor
        is_hint, at = known.topk(most if torch.jit.is_tracing() else int(most), dim=1)  # (N, K)
        hints = places.gather(2, at[:, None].expand(-1, places.shape[1], -1))
        is_hint = is_hint[:, None]
        wrong = wrong.gather(2, at[:, None].expand(-1, 2, -1)) * is_hint
        among, anywhere = _alike(hints, is_hint, hints), _alike(hints, is_hint, places)
        spread, floor = wrong, torch.exp(self.log_floor)
        for _ in range(_ROUNDS):
            spread = spread + (wrong - _weighted_mean(spread, among, floor)) * is_hint
        return _weighted_mean(spread, anywhere, floor)


def _alike(hints: Tensor, is_hint: Tensor, places: Tensor) -> Tensor:
    """Compute exp(-d^2) of hints (N, E, K), 0 for those that are none (N, 1, K), and places (N, E, P): (N, K, P).

    In one product of matrices: -d^2 = 2 h p - h^2 - p^2.
    """
    squares = -hints.square().sum(dim=1, keepdim=True) - 1000 * (1 - is_hint)
    ours = torch.cat([2 * hints, squares, -torch.ones_like(squares)], dim=1)
    squares = places.square().sum(dim=1, keepdim=True)
    theirs = torch.cat([places, torch.ones_like(squares), squares], dim=1)
    # exp takes 50 times as long for what underflows; e^-80 is as good as 0.
    return torch.exp((ours.transpose(1, 2) @ theirs).clamp(min=-80))


def _weighted_mean(values: Tensor, weights: Tensor, floor: Tensor) -> Tensor:
    """Average values (N, 2, K) by weights (N, K, P), and 0 by the weight `floor`: (N, 2, P)."""
    sums = torch.cat([values, torch.ones_like(values[:, :1])], dim=1) @ weights
    return sums[:, :2] / (sums[:, 2:] + floor)


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
