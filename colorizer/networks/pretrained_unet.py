"""A generator whose encoder is pretrained on ImageNet: it knows what it sees before it learns colours.

Source: Ronneberger et al., "U-Net" (2015); Yakubovskiy, "Segmentation Models Pytorch", for such a U-Net's decoder.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorizer.networks.efficientnet import CHANNELS, EfficientNetLite0
from colorizer.networks.layers import init_weights
from colorizer.networks.unet import Resolution

_EDGE_CHANNELS = 16


class PretrainedUNet(nn.Module):
    """U-Net on EfficientNet-Lite0: lightness (N, 1, H, W) in [-1, 1] -> chroma (N, 2, H, W) in (-1, 1), for any H, W.

    The encoder looks at the lightness enlarged bilinearly by encoder_size / image_size: at `encoder_size` for images
    whose shorter side is `image_size`, those of the training. Every decoder level takes the encoder's features of its
    size beside what comes from below; at the last one a convolution of the lightness itself is added, which keeps the
    edges. It has `width` channels, each level below twice as many, up to 8 x width. `resolution` is as in `UNet`.
    """

    def __init__(self, *, encoder_size: int, image_size: int, width: int, resolution: Resolution) -> None:
        super().__init__()
        self.arguments = {
            "encoder": "efficientnet-lite0",
            "encoder_size": encoder_size,
            "image_size": image_size,
            "width": width,
            "resolution": resolution,
        }
        # The shortest side of whole pixels that the encoder can halve five times.
        self.side_multiple = math.lcm(32 * image_size, encoder_size) // encoder_size
        self.resolution = resolution
        self._encoder_size, self._image_size = encoder_size, image_size
        # The first features that are not larger than the output.
        output_size = image_size if resolution == "full" else image_size / 2
        self._first = next(level for level in range(len(CHANNELS)) if encoder_size / 2 ** (level + 1) <= output_size)
        skips = CHANNELS[self._first :]
        channels = [width * min(2**level, 8) for level in range(len(skips))]

        self.encoder = EfficientNetLite0()
        self.normalize = nn.ModuleList(nn.BatchNorm2d(skip) for skip in skips)
        if resolution == "full":
            edges = nn.Conv2d(1, _EDGE_CHANNELS, 3, padding=1, bias=False)
        else:
            edges = nn.Conv2d(1, _EDGE_CHANNELS, 4, stride=2, padding=1, bias=False)
        self.edges = nn.Sequential(edges, nn.BatchNorm2d(_EDGE_CHANNELS), nn.LeakyReLU(0.2, inplace=True))
        below = [*channels[1:], 0]
        beside = [_EDGE_CHANNELS] + [0] * (len(skips) - 1)
        self.decoder = nn.ModuleList(
            _Level(skip + lower + edge, out)
            for skip, lower, edge, out in zip(skips, below, beside, channels, strict=True)
        )
        self.to_chroma = nn.Conv2d(channels[0], 2, 3, padding=1)
        for part in (self.edges, self.decoder, self.to_chroma):
            part.apply(init_weights)

    def forward(self, lightness: Tensor) -> Tensor:
        height, width = lightness.shape[-2:]
        size = (height, width) if self.resolution == "full" else (height // 2, width // 2)
        features = self._features(lightness)
        x = self.decoder[-1](features.pop())
        for level in reversed(self.decoder[1:-1]):
            skip = features.pop()
            x = level(torch.cat([_resize(x, skip.shape[-2:]), skip], dim=1))
        last = [_resize(x, size), _resize(features.pop(), size), self.edges(lightness)]
        chroma = torch.tanh(self.to_chroma(self.decoder[0](torch.cat(last, dim=1))))
        return chroma if self.training else _resize(chroma, (height, width))

    def _features(self, lightness: Tensor) -> list[Tensor]:
        """What the encoder sees, from `_first` on, with batch norm: its channels differ much in size."""
        size = [side * self._encoder_size // self._image_size for side in lightness.shape[-2:]]
        features = self.encoder(_resize(lightness, size).expand(-1, 3, -1, -1))[self._first :]
        return [normalize(x) for normalize, x in zip(self.normalize, features, strict=True)]

    def chroma_shape(self, image_shape: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the chroma that is trained on images of this height and width."""
        height, width = image_shape
        return image_shape if self.resolution == "full" else (height // 2, width // 2)


class _Level(nn.Sequential):
    """Convolution, batch norm, ReLU: (N, C, H, W) -> (N, C', H, W)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return x if x.shape[-2:] == size else functional.interpolate(x, size=list(size), mode="bilinear")
