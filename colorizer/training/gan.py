"""The training step and one epoch of it."""

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer

from colorizer.core.errors import UserError
from colorizer.networks.devices import Precision, mixed
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.generator import Generator
from colorizer.training.adam import ChannelsLastAdam
from colorizer.training.batch_norm import over_all_processes
from colorizer.training.batches import Batch
from colorizer.training.distributed import ALONE, Processes
from colorizer.training.losses import adversarial_loss, colour_loss, discriminator_loss, l1_loss

_STEPS_BETWEEN_CHECKS = 100  # for divergence, which costs a synchronisation with the device
LOSSES = ("discriminator_loss", "adversarial_loss", "l1_loss", "colour_loss")


class DivergedError(UserError):
    """Losses, weights or output are no longer finite; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Adversaries:
    """The two networks with an optimizer each; training changes them in place.

    `average` is the exponential moving average of the generator, or the generator itself when none is kept: the
    network that is saved, scored and shown. `generate` and `judge` are the networks, called where their gradients
    are wanted: of several processes, everyone gets the mean.
    """

    generator: Generator
    discriminator: Discriminator
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    average: Generator
    generate: Callable[[Tensor], Tensor]
    judge: Callable[[Tensor, Tensor], Tensor]
    precision: Precision
    processes: Processes


def make_adversaries(
    generator: Generator,
    discriminator: Discriminator,
    *,
    learning_rate: float,
    betas: tuple[float, float],
    keep_average: bool,
    device: torch.device,
    precision: Precision = "fp32",
    processes: Processes = ALONE,
) -> Adversaries:
    """Put both networks on the device and give each its Adam."""
    for network in (generator, discriminator):
        if processes.count > 1:
            over_all_processes(network, processes)
        network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Adversaries(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=ChannelsLastAdam(generator.parameters(), learning_rate, betas),
        discriminator_optimizer=ChannelsLastAdam(discriminator.parameters(), learning_rate, betas),
        average=copy.deepcopy(generator).requires_grad_(False) if keep_average else generator,
        generate=processes.averaging(generator),
        judge=processes.averaging(discriminator),
        precision=precision,
        processes=processes,
    )


def decayed(learning_rate: float, epoch: int, *, epochs: int, decay_epochs: int) -> float:
    """The learning rate of an epoch (1, 2, ...): constant, then in the last `decay_epochs` falling in equal steps to 0.

    Source: the training of Isola et al. (2017), whose 0 is reached after the last epoch too.
    """
    return learning_rate * min(1.0, (epochs - epoch + 1) / (decay_epochs + 1))


def set_learning_rate(adversaries: Adversaries, learning_rate: float) -> None:
    """Of both networks."""
    for optimizer in (adversaries.generator_optimizer, adversaries.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate


def train_step(
    adversaries: Adversaries, batch: Batch, *, l1_weight: float, adversarial: bool, colour_weight: float = 0.0
) -> dict[str, Tensor]:
    """Update the discriminator, then the generator; with `adversarial` off, the generator alone on L1.

    Returns the mean losses of this process's images as detached scalars.
    """
    lightness, chroma, num_images = batch
    discriminator, device = adversaries.discriminator, lightness.device
    share = len(lightness) * adversaries.processes.count / num_images  # gradients are averaged: parts may differ by one
    with mixed(adversaries.precision, device):
        generated = adversaries.generate(lightness).to(chroma.dtype)  # (n, 2, H, W), or half of that size
    if generated.shape != chroma.shape:
        lightness, chroma = (
            functional.interpolate(x, size=generated.shape[-2:], mode="area") for x in (lightness, chroma)
        )
    losses: dict[str, Tensor] = {}

    if adversarial:
        with mixed(adversaries.precision, device):
            real, fake = (adversaries.judge(lightness, ab).to(chroma.dtype) for ab in (chroma, generated.detach()))
        judged = discriminator_loss(real, fake)
        adversaries.discriminator_optimizer.zero_grad(set_to_none=True)
        (judged * share).backward()
        adversaries.discriminator_optimizer.step()
        losses["discriminator_loss"] = judged.detach()

    reconstruction = l1_loss(generated, chroma)
    objective = l1_weight * reconstruction
    if adversarial:
        discriminator.requires_grad_(False)  # its weight gradients would be thrown away
        with mixed(adversaries.precision, device):
            judgement = discriminator(lightness, generated).to(chroma.dtype)
        deceived = adversarial_loss(judgement)
        discriminator.requires_grad_(True)
        objective = deceived + objective
        losses["adversarial_loss"] = deceived.detach()
    if adversarial and colour_weight:
        unlike = colour_loss(generated, chroma)
        objective = objective + colour_weight * unlike
        losses["colour_loss"] = unlike.detach()
    adversaries.generator_optimizer.zero_grad(set_to_none=True)
    (objective * share).backward()
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
    batches: Iterable[Batch],
    *,
    l1_weight: float,
    adversarial: bool,
    ema_decay: float,
    first_step: int,
    colour_weight: float = 0.0,
    on_batch: Callable[[int, dict[str, Tensor]], None],
) -> dict[str, float]:
    """Train on batches; returns the mean of every loss over the images, those of all processes.

    `first_step` is the number of steps that earlier epochs made. `on_batch` is called after every step with the number
    of images in it and its losses. Raises DivergedError when a loss is no longer finite.
    """
    adversaries.generator.train()
    adversaries.discriminator.train()
    sums: dict[str, Tensor] = {}
    num_images = 0
    for step, batch in enumerate(batches, start=first_step):
        losses = train_step(
            adversaries, batch, l1_weight=l1_weight, adversarial=adversarial, colour_weight=colour_weight
        )
        update_average(adversaries, decay=ema_decay, step=step)
        for name, loss in losses.items():
            sums[name] = sums.get(name, torch.zeros((), device=loss.device)) + loss * len(batch.lightness)
        num_images += batch.num_images
        if step % _STEPS_BETWEEN_CHECKS == 0:
            _finite_means(sums, num_images, adversaries.processes)
        on_batch(batch.num_images, losses)
    return _finite_means(sums, num_images, adversaries.processes)


def _finite_means(sums: dict[str, Tensor], num_images: int, processes: Processes) -> dict[str, float]:
    totals = processes.total(torch.stack(list(sums.values()))).tolist()
    means = {name: total / num_images for name, total in zip(sums, totals, strict=True)}
    if not all(math.isfinite(mean) for mean in means.values()):
        raise DivergedError(f"training diverged: {', '.join(f'{name} {mean:.4g}' for name, mean in means.items())}")
    return means
