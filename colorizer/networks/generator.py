"""The generators that can be trained: one that learns to see from your images alone, one that has learnt to before."""

from typing import Any

from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.networks.unet import UNet

Generator = UNet | PretrainedUNet


def build_generator(*, encoder: str = "plain", **arguments: Any) -> Generator:
    """Build a generator from its constructor arguments and the name of its encoder: `plain` or `efficientnet-lite0`.

    All weights are random; `load_efficientnet_lite0` has those of the pretrained encoder.
    """
    if encoder == "plain":
        return UNet(**arguments)
    if encoder == "efficientnet-lite0":
        return PretrainedUNet(**arguments)
    raise ValueError(f"there is no encoder {encoder}")
