"""The losses: pure functions on logits and normalised chroma."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_MAX_SAMPLES = 2**15  # sorting takes longer than a training step from there on
_KNEE = 0.05  # of normalised chroma, about 6 codes: from there on, a difference of colours counts less and less


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Binary cross-entropy with real as 1 and fake as 0, on logits of any shape; a scalar."""
    # -log D(real) - log(1 - D(fake))
    real = functional.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake = functional.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real + fake


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """Binary cross-entropy of fake logits with the label 1 (the non-saturating generator loss); a scalar."""
    return functional.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))  # -log D(fake)


def l1_loss(fake: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of normalised chroma (N, 2, H, W); a scalar."""
    return (fake - real).abs().mean()


def swd_loss(fake: Tensor, real: Tensor) -> Tensor:
    """Sliced Wasserstein distance of the fake and real colours (N, 2, H, W), regardless of position; a scalar.

    It is the mean over four directions of the plane of the mean distance between the values of equal rank: 0 for the
    right amount of every colour. Values are first put on a scale that is linear near grey and logarithmic beyond, as
    the eye sees a small difference of pale colours, but not of strong ones. Of many pixels, about 32,768 at equal steps
    are taken.
    Source: Bonneel et al., "Sliced and Radon Wasserstein Barycenters of Measures" (2015).
    """
    angles = torch.arange(4, device=real.device, dtype=real.dtype) * math.pi / 4
    directions = torch.stack([angles.cos(), angles.sin()], dim=1)  # (4, 2)
    colors = [chroma.movedim(1, 0).flatten(1) for chroma in (fake, real)]  # (2, N x H x W)
    step = -(-colors[0].shape[1] // _MAX_SAMPLES) | 1  # odd: the same columns of every row would train alone
    ranked = [_sort_rows(directions @ color[:, ::step]) for color in colors]
    compressed = [_KNEE * torch.asinh(values / _KNEE) for values in ranked]
    return (compressed[0] - compressed[1]).abs().mean()


def _sort_rows(values: Tensor) -> Tensor:
    """What values.sort(dim=1) gives; float32 on a CPU by NumPy, in a third of the time or less."""
    if values.device.type != "cpu" or values.dtype != torch.float32:
        return values.sort(dim=1).values
    if not values.requires_grad:
        return torch.from_numpy(np.sort(values.numpy(), axis=1))
    return values.gather(1, torch.from_numpy(_order_of_rows(values.detach().numpy())))


def _order_of_rows(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places that sort each row, equal values in their order: sorts integers of a value above and its place below."""
    bits = values.view(np.int32)
    keys = (bits ^ (bits >> 31 & 0x7FFFFFFF)).astype(np.int64)  # in the order of the values
    keys = keys << 32 | np.arange(values.shape[1])
    keys.sort(axis=1)
    return keys & 0xFFFFFFFF
