"""The generators that can be trained: one that learns to see from your images alone, one that has learnt to before."""

from typing import Any, Literal

from colorizer.core.errors import UserError
from colorizer.networks.efficientnet import load_efficientnet_lite0
from colorizer.networks.layers import check_num_downs, max_num_downs
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.networks.unet import Resolution, UNet, Upsampling

Encoder = Literal["plain", "efficientnet-lite0"]
Generator = UNet | PretrainedUNet

_LARGEST_ENLARGEMENT = 4  # beyond it, the encoder would see little but blur


def rebuild_generator(*, encoder: Encoder = "plain", **arguments: Any) -> Generator:
    """Build a generator from the `arguments` of one, for weights that are about to be loaded."""
    return UNet(**arguments) if encoder == "plain" else PretrainedUNet(**arguments)


def build_generator(
    image_shape: tuple[int, int],
    *,
    encoder: Encoder,
    encoder_size: int,
    width: int,
    num_downs: int | Literal["auto"],
    upsampling: Upsampling,
    resolution: Resolution,
    hints: bool,
) -> Generator:
    """Build a generator for images of this height and width, with random weights but for those of a pretrained encoder.

    With `hints` it takes them beside lightness. `num_downs` and `upsampling` are for the encoder `plain`,
    `encoder_size` is for a pretrained one. A `num_downs` of `auto` is as many as the images allow. Raises UserError
    when they allow fewer than are given, when `encoder_size` is too large for them, and when the pretrained weights are
    missing.
    """
    size = min(image_shape)
    if encoder == "plain":
        halvings = max_num_downs(size) if num_downs == "auto" else num_downs
        check_num_downs(halvings, size, "train.generator.num_downs")
        return UNet(width=width, num_downs=halvings, upsampling=upsampling, resolution=resolution, hints=hints)
    if encoder_size > _LARGEST_ENLARGEMENT * size:
        raise UserError(
            f"train.generator.encoder_size is {encoder_size}, but images of {size} px are enlarged to at most "
            f"{_LARGEST_ENLARGEMENT * size} px: lower it"
        )
    generator = PretrainedUNet(
        encoder_size=encoder_size, image_size=size, width=width, resolution=resolution, hints=hints
    )
    generator.encoder = load_efficientnet_lite0()
    return generator
