"""Generators as files."""

import math
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
    """A network that colours all alike, a* 13 and b* 25, and follows a hint within some pixels, whatever is there.

    Its weights are set by hand: all places look alike to it, so that only their distance counts.
    """
    generator = UNet(width=4, num_downs=1, upsampling="resize", hints=True)
    with torch.no_grad():
        generator.to_chroma.weight.zero_()
        generator.to_chroma.bias.copy_(torch.tensor([0.1, 0.2]))
        for weight in generator.spread.embed.parameters():
            weight.zero_()
        generator.spread.log_contrast.fill_(-10)
        generator.spread.log_reach.fill_(math.log(4))
        generator.spread.log_floor.fill_(math.log(0.05))
    return save_model(generator, folder)
