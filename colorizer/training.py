"""The training step and one epoch of it."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from colorizer.errors import UserError
from colorizer.lab import Normalization
from colorizer.losses import adversarial_loss, discriminator_loss, l1_loss
from colorizer.networks import Discriminator, Generator

_STEPS_BETWEEN_CHECKS = 100  # for divergence, which costs a synchronisation with the device
LOSSES = ("discriminator_loss", "adversarial_loss", "l1_loss")


@dataclass(frozen=True, kw_only=True)
class Adversaries:
    """The two networks with an optimizer each; training changes them in place.

    `average` is the exponential moving average of the generator, or the generator itself when none is kept: the
    network that is saved, scored and shown.
    """

    generator: Generator
    discriminator: Discriminator
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    average: Generator


def make_adversaries(
    generator: Generator,
    discriminator: Discriminator,
    *,
    learning_rate: float,
    betas: tuple[float, float],
    keep_average: bool,
    device: torch.device,
) -> Adversaries:
    """Put both networks on the device and give each its Adam."""
    for network in (generator, discriminator):
        network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Adversaries(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=torch.optim.Adam(generator.parameters(), lr=learning_rate, betas=betas, fused=True),
        discriminator_optimizer=torch.optim.Adam(discriminator.parameters(), lr=learning_rate, betas=betas, fused=True),
        average=copy.deepcopy(generator).requires_grad_(False) if keep_average else generator,
    )


def set_learning_rate(adversaries: Adversaries, learning_rate: float) -> None:
    """Of both networks."""
    for optimizer in (adversaries.generator_optimizer, adversaries.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate


def train_step(
    adversaries: Adversaries, lightness: Tensor, chroma: Tensor, *, l1_weight: float, adversarial: bool
) -> dict[str, Tensor]:
    """One batch: lightness (N, 1, H, W) and true chroma (N, 2, H, W), both in [-1, 1].

    Updates the discriminator, then the generator; with `adversarial` off, the generator alone on L1. Returns the
    batch's mean losses as detached scalars.
    """
    generator, discriminator = adversaries.generator, adversaries.discriminator
    generated = generator(lightness)  # (N, 2, H, W)
    losses: dict[str, Tensor] = {}

    if adversarial:
        judged = discriminator_loss(discriminator(lightness, chroma), discriminator(lightness, generated.detach()))
        adversaries.discriminator_optimizer.zero_grad(set_to_none=True)
        judged.backward()
        adversaries.discriminator_optimizer.step()
        losses["discriminator_loss"] = judged.detach()

    reconstruction = l1_loss(generated, chroma)
    objective = l1_weight * reconstruction
    if adversarial:
        discriminator.requires_grad_(False)  # its weight gradients would be thrown away
        deceived = adversarial_loss(discriminator(lightness, generated))
        discriminator.requires_grad_(True)
        objective = deceived + objective
        losses["adversarial_loss"] = deceived.detach()
    adversaries.generator_optimizer.zero_grad(set_to_none=True)
    objective.backward()
    adversaries.generator_optimizer.step()
    losses["l1_loss"] = reconstruction.detach()
    return losses


@torch.no_grad()
def update_average(adversaries: Adversaries, *, decay: float, step: int) -> None:
    """Move the generator's average towards its weights and batch-norm statistics after step 0, 1, ...

    The decay grows from 0.1 to `decay`: the random initial weights would weigh in for long otherwise.
    """
    if adversaries.average is adversaries.generator:
        return
    towards = 1 - min(decay, (1 + step) / (10 + step))
    current = adversaries.generator.state_dict()
    for name, mean in adversaries.average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(current[name], towards)
        else:
            mean.copy_(current[name])  # the number of batches that batch norm has seen


def train_epoch(
    adversaries: Adversaries,
    batches: Iterator[tuple[Tensor, Tensor]],
    *,
    l1_weight: float,
    adversarial: bool,
    ema_decay: float,
    first_step: int,
    on_batch: Callable[[int, dict[str, Tensor]], None],
) -> dict[str, float]:
    """Train on (lightness, chroma) batches; returns the mean of every loss over the images.

    `first_step` is the number of steps that earlier epochs made. `on_batch` is called after every step with the number
    of images in it and its losses. Raises UserError when a loss is no longer finite.
    """
    adversaries.generator.train()
    adversaries.discriminator.train()
    sums: dict[str, Tensor] = {}
    num_images = 0
    for step, (lightness, chroma) in enumerate(batches, start=first_step):
        losses = train_step(adversaries, lightness, chroma, l1_weight=l1_weight, adversarial=adversarial)
        update_average(adversaries, decay=ema_decay, step=step)
        for name, loss in losses.items():
            sums[name] = sums.get(name, torch.zeros((), device=loss.device)) + loss * len(lightness)
        num_images += len(lightness)
        if step % _STEPS_BETWEEN_CHECKS == 0:
            _check_finite(sums, num_images)
        on_batch(len(lightness), losses)
    return _check_finite(sums, num_images)


def _check_finite(sums: dict[str, Tensor], num_images: int) -> dict[str, float]:
    means = {name: float(total) / num_images for name, total in sums.items()}
    if not all(np.isfinite(mean) for mean in means.values()):
        raise UserError(f"training diverged: {means}; lower train.learning_rate in params.yaml")
    return means


def training_batches(
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    normalization: Normalization,
    *,
    batch_size: int,
    flip: bool,
    seed: int,
    epoch: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield every training image once as (lightness, chroma), in an order that (seed, epoch) alone decide.

    With `flip`, every other image on average is mirrored left to right, which (seed, epoch) decide as well.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    order = random.permutation(images)
    mirrored = random.random(len(order)) < 0.5 if flip else np.zeros(len(order), bool)
    for start in range(0, len(order), batch_size):
        span = slice(start, start + batch_size)
        codes = store[order[span]]  # (n, H, W, 3)
        codes[mirrored[span]] = codes[mirrored[span], :, ::-1]
        yield to_batch(codes, normalization, device)


def to_batch(codes: NDArray[np.uint8], normalization: Normalization, device: torch.device) -> tuple[Tensor, Tensor]:
    """Codes (n, H, W, 3) as lightness (n, 1, H, W) and chroma (n, 2, H, W), float32 in [-1, 1] on the device.

    Both keep the codes' order in memory (channels last), in which convolutions are fastest.
    """
    planes = torch.from_numpy(codes).to(device).permute(0, 3, 1, 2)  # (n, 3, H, W) uint8: floats stay on the device
    return normalization.lightness(planes[:, :1].float()), normalization.chroma(planes[:, 1:].float())
