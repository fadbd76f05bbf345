"""The GAN: a generator and a discriminator that train against each other.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorizer.core.errors import DIVERGED, UserError
from colorizer.networks.devices import Precision, autocast
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.generator import Generator, build_generator
from colorizer.networks.layers import check_num_downs
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.training.batch_norm import synchronize_batch_norm
from colorizer.training.batches import Batch
from colorizer.training.distributed import SINGLE, ProcessGroup
from colorizer.training.ema import EMA
from colorizer.training.losses import adversarial_loss, discriminator_loss, l1_loss, swd_loss
from colorizer.training.optim import ChannelsLastAdam
from colorizer.training.recipe import Recipe

_STEPS_BETWEEN_CHECKS = 100  # for divergence, which costs a synchronisation with the device
LOSSES = ("discriminator_loss", "adversarial_loss", "l1_loss", "swd_loss")


class DivergedError(UserError):
    """Losses, weights or output are no longer finite; the message says which."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{DIVERGED}: {what}")


class GAN:
    """Generator and discriminator with an Adam optimizer each; training changes them in place.

    A pretrained encoder has an optimizer of its own, unless the recipe's `encoder_learning_rate` is 0: then it is
    frozen, and no gradients are computed in it. `ema.module` is the moving average of the generator: the network that
    is saved, scored and shown. In a training of several processes every process holds the same networks and takes its
    part of each batch.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        recipe: Recipe,
        *,
        device: torch.device,
        precision: Precision = "fp32",
        group: ProcessGroup = SINGLE,
    ) -> None:
        for network in (generator, discriminator):
            if group.world_size > 1:
                synchronize_batch_norm(network, group, device)
            network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator, self.discriminator, self.recipe = generator, discriminator, recipe
        encoder = list(generator.encoder.parameters()) if isinstance(generator, PretrainedUNet) else []
        for weight in encoder:
            weight.requires_grad_(recipe.encoder_learning_rate > 0)
        pretrained = set(encoder)
        decoder = [weight for weight in generator.parameters() if weight not in pretrained]
        self.generator_optimizer = ChannelsLastAdam(decoder, recipe.learning_rate, recipe.betas)
        self.encoder_optimizer = ChannelsLastAdam(encoder, recipe.encoder_learning_rate, recipe.betas)
        self.discriminator_optimizer = ChannelsLastAdam(discriminator.parameters(), recipe.learning_rate, recipe.betas)
        self.ema = EMA(generator, recipe.ema_decay)
        self.device, self.precision, self.group = device, precision, group
        # Called where gradients are wanted, which are then the mean over all processes.
        self._generator, self._discriminator = group.wrap_ddp(generator), group.wrap_ddp(discriminator)

    def fit(
        self,
        batches: Iterable[Batch],
        *,
        learning_rate: float,
        adversarial: bool,
        first_step: int,
        on_batch: Callable[[int, dict[str, Tensor]], None] = lambda num_images, losses: None,
    ) -> dict[str, float]:
        """Train on every batch once; returns the mean of every loss over all images of all processes.

        `first_step` is the number of steps that earlier epochs made. `on_batch` gets the number of images of each
        batch and its losses. Raises DivergedError when a loss is no longer finite.
        """
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            optimizer.learning_rate = learning_rate
        self.encoder_optimizer.learning_rate = self.recipe.encoder_learning_rate * (
            learning_rate / self.recipe.learning_rate
        )
        self.generator.train()
        self.discriminator.train()
        self.ema.num_updates = first_step
        means = _LossMeans(self.group)
        for step, batch in enumerate(batches, start=first_step):
            losses = self.step(batch, adversarial=adversarial)
            means.add(losses, batch)
            if step % _STEPS_BETWEEN_CHECKS == 0:
                means.compute()
            on_batch(batch.num_images, losses)
        return means.compute()

    def step(self, batch: Batch, *, adversarial: bool) -> dict[str, Tensor]:
        """Make one training step: update D, then G, then the EMA.

        Without `adversarial`, update only G and the EMA, on L1. Returns the mean losses of this process's images as
        detached scalars.
        """
        fake = self._generate(batch)  # (n, 2, H, W), or half of that size
        lightness, real = _resized(batch, fake.shape[-2:])
        losses = {"l1_loss": l1_loss(fake, real)}
        if adversarial:
            # (1) The discriminator maximizes log D(real) + log(1 - D(fake)).
            real_logits, fake_logits = self._logits(self._discriminator, lightness, real, fake.detach())
            losses["discriminator_loss"] = discriminator_loss(real_logits, fake_logits)
            self._update([self.discriminator_optimizer], losses["discriminator_loss"], batch)

            # (2) The generator maximizes log D(fake) and stays near the truth.
            with _frozen(self.discriminator):
                [fake_logits] = self._logits(self.discriminator, lightness, fake)
            losses["adversarial_loss"] = adversarial_loss(fake_logits)
            if self.recipe.swd_weight:
                losses["swd_loss"] = swd_loss(fake, real)
        loss = self.recipe.generator_loss(losses)
        self._update([self.generator_optimizer, self.encoder_optimizer], loss, batch)
        self.ema.update()
        return {name: loss.detach() for name, loss in losses.items()}

    def _generate(self, batch: Batch) -> Tensor:
        known = {name: value for name in ("encoded", "hints") if (value := getattr(batch, name)) is not None}
        with autocast(self.precision, self.device):
            return self._generator(batch.lightness, **known).to(batch.lightness.dtype)

    def _logits(self, discriminator: nn.Module, lightness: Tensor, *chromas: Tensor) -> list[Tensor]:
        """Return the logits for each chroma."""
        with autocast(self.precision, self.device):
            return [discriminator(lightness, chroma).to(chroma.dtype) for chroma in chromas]

    def _update(self, optimizers: Sequence[ChannelsLastAdam], loss: Tensor, batch: Batch) -> None:
        # Gradients are averaged over processes, whose parts of the batch may differ by one image.
        share = len(batch.lightness) * self.group.world_size / batch.num_images
        for optimizer in optimizers:
            optimizer.zero_grad()
        (loss * share).backward()
        for optimizer in optimizers:
            optimizer.step()


def build_gan(
    generator: Mapping[str, Any],
    discriminator: Mapping[str, Any],
    recipe: Recipe,
    *,
    image_shape: tuple[int, int],
    device: torch.device,
    precision: Precision,
    group: ProcessGroup,
) -> GAN:
    """Build both networks for images of this height and width; the recipe's seed alone decides their initial weights.

    `generator` holds the arguments of `build_generator`, and `discriminator` those of `Discriminator`. Raises UserError
    when they do not fit the images, or pretrained weights are missing.
    """
    torch.manual_seed(recipe.seed)
    net_g = build_generator(image_shape, **generator)
    chroma_shape = net_g.chroma_shape(image_shape)
    check_num_downs(discriminator["num_downs"], min(chroma_shape), "train.discriminator.num_downs")
    net_d = Discriminator(**discriminator, image_shape=chroma_shape)
    return GAN(net_g, net_d, recipe, device=device, precision=precision, group=group)


def _resized(batch: Batch, size: torch.Size) -> tuple[Tensor, Tensor]:
    """Return lightness and true chroma at the size of what the generator predicts."""
    if batch.chroma.shape[-2:] == size:
        return batch.lightness, batch.chroma
    lightness, chroma = (functional.interpolate(x, size=size, mode="area") for x in (batch.lightness, batch.chroma))
    return lightness, chroma


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Compute no gradients of the network's weights: those of the generator's step would be thrown away."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


class _LossMeans:
    """Sums losses over images and divides once: right for any batch size and any number of processes."""

    def __init__(self, group: ProcessGroup) -> None:
        self._group = group
        self._sums: dict[str, Tensor] = {}
        self._num_images = 0

    def add(self, losses: dict[str, Tensor], batch: Batch) -> None:
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros((), device=loss.device)) + loss * len(batch.lightness)
        self._num_images += batch.num_images

    def compute(self) -> dict[str, float]:
        """Return the means over the images of all processes. Raises DivergedError when one is not finite."""
        totals = self._group.all_reduce(torch.stack(list(self._sums.values()))).tolist()
        means = {name: total / self._num_images for name, total in zip(self._sums, totals, strict=True)}
        if not all(math.isfinite(mean) for mean in means.values()):
            raise DivergedError(f"{', '.join(f'{name} {mean:.4g}' for name, mean in means.items())}")
        return means
