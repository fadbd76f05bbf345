"""The recipe's losses: pure functions on logits and normalised chroma."""

import torch
from torch import Tensor
from torch.nn import functional


def discriminator_loss(real_logits: Tensor, generated_logits: Tensor) -> Tensor:
    """Binary cross-entropy with real as 1 and generated as 0, on logits of any shape; a scalar."""
    real = functional.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))  # -log D(real)
    generated = functional.binary_cross_entropy_with_logits(
        generated_logits, torch.zeros_like(generated_logits)
    )  # -log(1 - D(generated))
    return real + generated


def adversarial_loss(generated_logits: Tensor) -> Tensor:
    """Binary cross-entropy of the generator, which wants to be taken for real; a scalar."""
    return functional.binary_cross_entropy_with_logits(
        generated_logits, torch.ones_like(generated_logits)
    )  # -log D(G(L))


def l1_loss(generated: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of normalised chroma (N, 2, H, W); a scalar."""
    return (generated - truth).abs().mean()
