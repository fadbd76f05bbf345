"""The two networks: a U-Net that predicts chroma from lightness, and a CNN that tells real chroma from predicted.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017); Ronneberger et al.,
"U-Net" (2015).
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorizer.errors import UserError

Upsampling = Literal["transposed", "resize"]
Sees = Literal["ab", "lab"]
Resolution = Literal["full", "half"]
Judges = Literal["image", "patches"]


def most_halvings(image_size: int) -> int:
    """How often images of this side can be halved and still leave 2 pixels.

    One pixel would be too few: batch normalisation over a single 1 x 1 image has no deviation.
    """
    return max(0, image_size.bit_length() - 2)


def check_halvings(halvings: int, image_size: int, name: str) -> None:
    """Raise UserError when images of this side (H or W, the smaller) cannot be halved that often."""
    if not 1 <= halvings <= most_halvings(image_size):
        raise UserError(
            f"{name}: {halvings} halvings of {image_size} px are impossible: "
            f"at most {most_halvings(image_size)}, so that 2 px are left"
        )


class Generator(nn.Module):
    """U-Net: lightness (N, 1, H, W) in [-1, 1] -> chroma (N, 2, H, W) in (-1, 1), for any H, W >= 2 ** halvings.

    Every encoder level halves the size (convolution, batch norm, LeakyReLU) and doubles the channels, from `width`
    up to 8 x width; every decoder level doubles the size (batch norm, ReLU) and takes the encoder's features of that
    size beside its own. `upsampling` is `transposed` convolution, or `resize`: nearest neighbour, then a convolution,
    which leaves no checkerboard. With `resolution` half the network ends at half the size: so does its output in
    training mode, `chroma_shape`, and in evaluation mode it is enlarged bilinearly.
    """

    def __init__(self, *, width: int, halvings: int, upsampling: Upsampling, resolution: Resolution = "full") -> None:
        super().__init__()
        self.arguments = {"width": width, "halvings": halvings, "upsampling": upsampling, "resolution": resolution}
        self.resolution = resolution
        channels = [1] + [width * min(2**level, 8) for level in range(halvings)]
        self.encoder = nn.ModuleList(_Down(channels[level], channels[level + 1]) for level in range(halvings))
        self.decoder = nn.ModuleList(
            _Up(channels[level + 1] * (1 if level == halvings - 1 else 2), channels[level], upsampling)
            for level in reversed(range(1, halvings))
        )
        last = upsampling if resolution == "full" else "resize"
        self.to_chroma = _upsample(channels[1] * (1 if halvings == 1 else 2), 2, last, bias=True)
        self.apply(_initialise)

    def forward(self, lightness: Tensor) -> Tensor:
        sizes, skips, x = [], [], lightness
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
        self.apply(_initialise)

    def forward(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        return self.layers(chroma if self.sees == "ab" else torch.cat([lightness, chroma], dim=1))


class _Down(nn.Module):
    """Convolution, batch norm, LeakyReLU: (N, C, H, W) -> (N, C', H // 2, W // 2)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, out_channels, 4, stride=2, padding=1, bias=False)
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
        return nn.ConvTranspose2d(channels, out_channels, 4, stride=2, padding=1, bias=bias)
    return nn.Conv2d(channels, out_channels, 3, padding=1, bias=bias)


def _upsample_to(layer: nn.Module, x: Tensor, size: torch.Size) -> Tensor:
    """Double the size, to exactly `size`: an odd side needs one more row or column."""
    if isinstance(layer, nn.ConvTranspose2d):
        return layer(x, output_size=list(size))
    return layer(functional.interpolate(x, size=size, mode="nearest"))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
