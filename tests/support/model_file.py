"""Generators as files."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorizer.core.lab import Normalization
from colorizer.networks.checkpoints import save_generator
from colorizer.networks.efficientnet import load_efficientnet_lite0
from colorizer.networks.generator import Generator
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.networks.unet import UNet


def save_model(generator: Generator, folder: Path) -> Path:
    """As a training on images of 32 x 48 px saves it after epoch 3."""
    facts = {"params": {}, "inputs": {}, "code": {}, "environment": {}}
    path = folder / "generator.safetensors"
    save_generator(path, generator, Normalization(), image_shape=(32, 48), epoch=3, scores={}, facts=facts)
    return path


def save_pretrained(photographs: NDArray[np.uint8], folder: Path) -> Path:
    """A pretrained encoder, a random decoder, and statistics of the photographs (n, 32, 32, 3) in its batch norm."""
    torch.manual_seed(0)
    generator = PretrainedUNet(encoder_size=64, image_size=32, width=4, resolution="half")
    generator.encoder = load_efficientnet_lite0()
    with torch.no_grad():
        generator.to_chroma.weight.mul_(10)  # or the colours are hard to see
        for _ in range(20):
            generator(torch.from_numpy(photographs[:, None, :, :, 0] / np.float32(127.5) - 1))
    return save_model(generator, folder)


def save_hinted(folder: Path) -> Path:
    """A network that colours all alike, a* 13 and b* 26, and where it is told a colour, as it is told.

    Its weights are set by hand. What a block of 2 x 2 pixels is told holds there and nowhere else.
    """
    generator = UNet(width=6, num_downs=1, upsampling="resize", hints=True)
    [down] = generator.encoder
    with torch.no_grad():
        for parameter in (down.convolution.weight, generator.to_chroma.weight):
            parameter.zero_()
        for feature, (plane, sign) in enumerate(((1, 1), (1, -1), (2, 1), (2, -1), (3, 1))):
            down.convolution.weight[feature, plane, 1:3, 1:3] = sign / 4  # the mean of the block
        middle = generator.to_chroma.weight[..., 1, 1]
        for channel, base in enumerate((0.1, 0.2)):
            middle[channel, 2 * channel] = 1 / 1.2  # leaky(x) - leaky(-x) is 1.2 x
            middle[channel, 2 * channel + 1] = -1 / 1.2
            middle[channel, 4] = -base
            generator.to_chroma.bias[channel] = base
    return save_model(generator, folder)
