"""The recipe of a training: every number that decides how the networks learn."""

import math
from dataclasses import dataclass

from torch import Tensor

from colorizer.core.hints import HintSampling


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How generator and discriminator learn from given images.

    seed: decides the initial weights and the order of the images. l1_pretrain_epochs: the first of the `epochs`, which
    train the generator on L1 alone. learning_rate, betas: of Adam, for both networks; the rate falls to 0 in the last
    `decay_epochs`. encoder_learning_rate: that of a pretrained encoder, which falls in step; 0 freezes the encoder.
    l1_weight, swd_weight: of these losses beside the adversarial one. ema_decay: of the generator's moving average, per
    step; 0 keeps none. flip: whether a random half of the images is mirrored. hints: those that a generator which takes
    them learns to follow.
    """

    seed: int = 0
    epochs: int = 1
    l1_pretrain_epochs: int = 0
    batch_size: int = 16
    learning_rate: float
    encoder_learning_rate: float = 0.0
    decay_epochs: int = 0
    betas: tuple[float, float]
    l1_weight: float
    swd_weight: float = 0.0
    ema_decay: float = 0.0
    flip: bool = False
    hints: HintSampling | None = None

    def generator_loss(self, losses: dict[str, Tensor]) -> Tensor:
        """Add up the losses of the generator by their weights; the adversarial ones may be missing."""
        total = self.l1_weight * losses["l1_loss"]
        if "adversarial_loss" in losses:
            total = losses["adversarial_loss"] + total
        if "swd_loss" in losses:
            total = total + self.swd_weight * losses["swd_loss"]
        return total

    def steps_per_epoch(self, num_images: int) -> int:
        """Return the number of batches that hold so many images."""
        return math.ceil(num_images / self.batch_size)

    def smallest_batch(self, num_images: int) -> int:
        """Return the number of images in the last batch of an epoch."""
        return num_images % self.batch_size or self.batch_size

    def linear_decay(self, learning_rate: float, epoch: int) -> float:
        """Return the learning rate of an epoch (1, 2, ...): constant at first, then falling to 0 in equal steps.

        It would be 0 in the epoch after the last one. Source: the training schedule of Isola et al. (2017).
        """
        return learning_rate * min(1.0, (self.epochs - epoch + 1) / (self.decay_epochs + 1))
