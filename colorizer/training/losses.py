"""The losses: pure functions on logits and normalised chroma."""

import math

import torch
from torch import Tensor
from torch.nn import functional

_MOST_COLOURS = 2**15  # sorting takes longer than a training step from there on


def discriminator_loss(real_logits: Tensor, generated_logits: Tensor) -> Tensor:
    """Binary cross-entropy with real as 1 and generated as 0, on logits of any shape; a scalar."""
    real = functional.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))  # -log D(real)
    generated = functional.binary_cross_entropy_with_logits(
        generated_logits, torch.zeros_like(generated_logits)
    )  # -log(1 - D(generated))
    return real + generated


def adversarial_loss(generated_logits: Tensor) -> Tensor:
    """Binary cross-entropy of generated logits with the label 1 (the non-saturating generator loss); a scalar."""
    return functional.binary_cross_entropy_with_logits(
        generated_logits, torch.ones_like(generated_logits)
    )  # -log D(G(L))


def l1_loss(generated: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of normalised chroma (N, 2, H, W); a scalar."""
    return (generated - truth).abs().mean()


def swd_loss(generated: Tensor, truth: Tensor) -> Tensor:
    """Sliced Wasserstein distance of the generated and true colours (N, 2, H, W), regardless of position; a scalar.

    It is the mean over four directions of the plane of the mean distance between the values of equal rank: 0 for the
    right amount of every colour. Of many pixels, about 32,768 at equal steps are taken.
    Source: Bonneel et al., "Sliced and Radon Wasserstein Barycenters of Measures" (2015).
    """
    angles = torch.arange(4, device=truth.device, dtype=truth.dtype) * math.pi / 4
    directions = torch.stack([angles.cos(), angles.sin()], dim=1)  # (4, 2)
    colours = [chroma.movedim(1, 0).flatten(1) for chroma in (generated, truth)]  # (2, N x H x W)
    step = -(-colours[0].shape[1] // _MOST_COLOURS) | 1  # odd: the same columns of every row would train alone
    ranked = [(directions @ colour[:, ::step]).sort(dim=1).values for colour in colours]
    return (ranked[0] - ranked[1]).abs().mean()
