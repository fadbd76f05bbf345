"""The discriminator: a CNN that tells true chroma from predicted.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from colorizer.networks.im2col import DownConv2d
from colorizer.networks.layers import dense, init_weights

Output = Literal["image", "patch"]


class Discriminator(nn.Module):
    """CNN: lightness (N, 1, H, W) and chroma (N, 2, H, W) -> logits, positive for real.

    A `conditional` one gets lightness and chroma, another the chroma alone. Its `output` is one logit per image (N, 1),
    or one per overlapping patch (N, 1, h, w), a PatchGAN. No batch norm on the first and last layer.
    """

    def __init__(
        self, *, width: int, num_downs: int, conditional: bool, output: Output, image_shape: tuple[int, int]
    ) -> None:
        super().__init__()
        self.arguments = {
            "width": width,
            "num_downs": num_downs,
            "conditional": conditional,
            "output": output,
            "image_shape": list(image_shape),
        }
        self.conditional = conditional
        channels = [3 if conditional else 2] + [width * min(2**level, 8) for level in range(num_downs)]
        layers: list[nn.Module] = []
        for level in range(num_downs):
            layers.append(DownConv2d(channels[level], channels[level + 1], bias=level == 0))
            if level > 0:
                layers.append(nn.BatchNorm2d(channels[level + 1]))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        if output == "patch":
            layers.append(nn.Conv2d(channels[-1], 1, 4, padding=1))
        else:
            height, width_left = (side >> num_downs for side in image_shape)
            layers += [_Flatten(), nn.Linear(channels[-1] * height * width_left, 1)]
        self.layers = nn.Sequential(*layers)
        self.apply(init_weights)

    def forward(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        return self.layers(torch.cat([lightness, chroma], dim=1) if self.conditional else chroma)


class _Flatten(nn.Flatten):
    """Feature maps to vectors. The gradient comes back as LeakyReLU wants it: else it needs five times as long."""

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            x.register_hook(dense)
        return super().forward(x)
