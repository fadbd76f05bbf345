"""The generator of the textbook recipe: a U-Net that learns everything from the training images.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017); Ronneberger et al.,
"U-Net" (2015).
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorizer.core.hints import PLANES
from colorizer.networks.im2col import DownConv2d, UpConv2d
from colorizer.networks.layers import init_weights, no_hints_for

Upsampling = Literal["transposed", "resize"]
Resolution = Literal["full", "half"]


class UNet(nn.Module):
    """U-Net: lightness (N, 1, H, W) in [-1, 1] -> chroma (N, 2, H, W) in (-1, 1), for any H, W >= 2 ** num_downs.

    Every encoder level halves the size (convolution, batch norm, LeakyReLU) and doubles the channels, from `width`
    up to 8 x width; every decoder level doubles the size (batch norm, ReLU) and takes the encoder's features of that
    size beside its own. `upsampling` is `transposed` convolution, or `resize`: nearest neighbour, then a convolution,
    which leaves no checkerboard. With `resolution` half the network ends at half the size: so does its output in
    training mode, `chroma_shape`, and in evaluation mode it is enlarged bilinearly. With `hints` it takes
    `normalized_hints` (N, 3, H, W) as more planes of the image.
    """

    def __init__(
        self,
        *,
        width: int,
        num_downs: int,
        upsampling: Upsampling,
        resolution: Resolution = "full",
        hints: bool = False,
    ) -> None:
        super().__init__()
        self.arguments = {
            "width": width,
            "num_downs": num_downs,
            "upsampling": upsampling,
            "resolution": resolution,
            "hints": hints,
        }
        self.takes_hints = hints
        self.side_multiple = 2**num_downs  # both sides of an image should be multiples of it
        self.resolution = resolution
        channels = [1 + (PLANES if hints else 0)] + [width * min(2**level, 8) for level in range(num_downs)]
        self.encoder = nn.ModuleList(_Down(channels[level], channels[level + 1]) for level in range(num_downs))
        self.decoder = nn.ModuleList(
            _Up(channels[level + 1] * (1 if level == num_downs - 1 else 2), channels[level], upsampling)
            for level in reversed(range(1, num_downs))
        )
        last = upsampling if resolution == "full" else "resize"
        self.to_chroma = _upsample(channels[1] * (1 if num_downs == 1 else 2), 2, last, bias=True)
        self.apply(init_weights)

    def forward(self, lightness: Tensor, hints: Tensor | None = None) -> Tensor:
        """Predict chroma; without `hints` nothing is known."""
        sizes, skips, x = [], [], lightness
        if self.takes_hints:
            x = torch.cat([lightness, no_hints_for(lightness) if hints is None else hints], dim=1)
        for down in self.encoder:
            sizes.append(x.shape[-2:])
            x = down(x)
            skips.append(x)  # (N, C, H / 2, W / 2), ...
        skips.pop()
        for up in self.decoder:
            x = torch.cat([up(x, sizes.pop()), skips.pop()], dim=1)
        if self.resolution == "full":
            return torch.tanh(_upsample_to(self.to_chroma, x, sizes.pop()))
        chroma = torch.tanh(self.to_chroma(x))
        return chroma if self.training else functional.interpolate(chroma, size=sizes.pop(), mode="bilinear")

    def chroma_shape(self, image_shape: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the chroma that is trained on images of this height and width."""
        height, width = image_shape
        return image_shape if self.resolution == "full" else (height // 2, width // 2)


class _Down(nn.Module):
    """Convolution, batch norm, LeakyReLU: (N, C, H, W) -> (N, C', H // 2, W // 2)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = DownConv2d(channels, out_channels, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.convolution(x)), 0.2, inplace=True)


class _Up(nn.Module):
    """Upsampling, batch norm, ReLU: (N, C, h, w) -> (N, C', H, W), where h = H // 2 and w = W // 2."""

    def __init__(self, channels: int, out_channels: int, upsampling: Upsampling) -> None:
        super().__init__()
        self.upsample = _upsample(channels, out_channels, upsampling, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        return functional.relu(self.norm(_upsample_to(self.upsample, x, size)), inplace=True)


def _upsample(channels: int, out_channels: int, upsampling: Upsampling, *, bias: bool) -> nn.Module:
    if upsampling == "transposed":
        return UpConv2d(channels, out_channels, bias=bias)
    return nn.Conv2d(channels, out_channels, 3, padding=1, bias=bias)


def _upsample_to(layer: nn.Module, x: Tensor, size: torch.Size) -> Tensor:
    """Double the size, to exactly `size`: an odd side needs one more row or column."""
    if isinstance(layer, UpConv2d):
        return layer(x, list(size))
    return layer(functional.interpolate(x, size=size, mode="nearest"))
