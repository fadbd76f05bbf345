"""The discriminator: a CNN that tells true chroma from predicted.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from colorizer.networks.layers import init_weights

Sees = Literal["ab", "lab"]
Judges = Literal["image", "patches"]


class Discriminator(nn.Module):
    """CNN: lightness (N, 1, H, W) and chroma (N, 2, H, W) -> logits, positive for real.

    `sees` ab: the chroma alone; lab: lightness and chroma. `judges` image: one logit per image (N, 1); patches: one
    per overlapping patch (N, 1, h, w). No batch norm on the first and last layer.
    """

    def __init__(self, *, width: int, halvings: int, sees: Sees, judges: Judges, image_shape: tuple[int, int]) -> None:
        super().__init__()
        self.sees = sees
        channels = [2 if sees == "ab" else 3] + [width * min(2**level, 8) for level in range(halvings)]
        layers: list[nn.Module] = []
        for level in range(halvings):
            layers.append(nn.Conv2d(channels[level], channels[level + 1], 4, stride=2, padding=1, bias=level == 0))
            if level > 0:
                layers.append(nn.BatchNorm2d(channels[level + 1]))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        if judges == "patches":
            layers.append(nn.Conv2d(channels[-1], 1, 4, padding=1))
        else:
            height, width_left = (side >> halvings for side in image_shape)
            layers += [nn.Flatten(), nn.Linear(channels[-1] * height * width_left, 1)]
        self.layers = nn.Sequential(*layers)
        self.apply(init_weights)

    def forward(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        return self.layers(chroma if self.sees == "ab" else torch.cat([lightness, chroma], dim=1))
