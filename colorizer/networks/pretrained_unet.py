"""A generator whose encoder is pretrained on ImageNet: it knows what it sees before it learns colours.

Source: Ronneberger et al., "U-Net" (2015); Yakubovskiy, "Segmentation Models Pytorch", for such a U-Net's decoder.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable
from torch.nn import functional

from colorizer.core.hints import PLANES
from colorizer.networks.efficientnet import CHANNELS, EfficientNetLite0
from colorizer.networks.layers import dense, init_weights, no_hints_for
from colorizer.networks.unet import Resolution

_EDGE_CHANNELS = 16


class PretrainedUNet(nn.Module):
    """U-Net on EfficientNet-Lite0: lightness (N, 1, H, W) in [-1, 1] -> chroma (N, 2, H, W) in (-1, 1), for any H, W.

    The encoder looks at the lightness enlarged bilinearly by encoder_size / image_size: at `encoder_size` for images
    whose shorter side is `image_size`, those of the training. Every decoder level takes the encoder's features of its
    size beside what comes from below, enlarged by pixel shuffle. The last level, of the output's size, takes a
    convolution of the lightness itself instead: it knows where the edges are. It has `width` channels, each level below
    twice as many, up to 8 x width. `resolution` is as in `UNet`.

    With `hints` it takes `normalized_hints` (N, 3, H, W). The encoder does not see them: the last level's convolution
    takes them beside lightness, and every other level takes what is known in each of its pixels beside the features.
    """

    def __init__(
        self, *, encoder_size: int, image_size: int, width: int, resolution: Resolution, hints: bool = False
    ) -> None:
        super().__init__()
        self.arguments = {
            "encoder": "efficientnet-lite0",
            "encoder_size": encoder_size,
            "image_size": image_size,
            "width": width,
            "resolution": resolution,
            "hints": hints,
        }
        self.takes_hints = hints
        # The shortest side of whole pixels that the encoder can halve five times.
        self.side_multiple = math.lcm(32 * image_size, encoder_size) // encoder_size
        self.resolution = resolution
        self._encoder_size, self._image_size = encoder_size, image_size
        # The first level whose features are smaller than the output.
        output_size = image_size if resolution == "full" else image_size / 2
        self._first = next(level for level in range(len(CHANNELS)) if encoder_size / 2 ** (level + 1) < output_size)
        skips = CHANNELS[self._first :]
        channels = [width * min(2**level, 8) for level in range(len(skips) + 1)]

        self.encoder = EfficientNetLite0()
        self.normalize = nn.ModuleList(nn.BatchNorm2d(skip) for skip in skips)
        known = PLANES if hints else 0
        if resolution == "full":
            edges = nn.Conv2d(1 + known, _EDGE_CHANNELS, 3, padding=1, bias=False)
        else:
            edges = nn.Conv2d(1 + known, _EDGE_CHANNELS, 4, stride=2, padding=1, bias=False)
        self.edges = nn.Sequential(edges, nn.BatchNorm2d(_EDGE_CHANNELS), nn.LeakyReLU(0.2, inplace=True))
        below, beside = [*channels[1:], 0], [_EDGE_CHANNELS, *(skip + known for skip in skips)]
        self.decoder = nn.ModuleList(_Level(*sizes) for sizes in zip(below, beside, channels, strict=True))
        self.to_chroma = nn.Conv2d(width, 2, 3, padding=1)
        for part in (self.edges, self.decoder, self.to_chroma):
            part.apply(init_weights)
        self.upsample = nn.ModuleList(_Upsample(below) for below in channels[1:])

    def forward(self, lightness: Tensor, hints: Tensor | None = None, *, encoded: Tensor | None = None) -> Tensor:
        """Predict chroma; without `hints` nothing is known.

        `encoded` is what `encode` made of the same lightness, if it is known already.
        """
        height, width = lightness.shape[-2:]
        features = self._features(lightness) if encoded is None else self._unflatten(encoded, (height, width))
        skips = [[normalize(x)] for normalize, x in zip(self.normalize, features, strict=True)]
        if self.takes_hints:
            hints = no_hints_for(lightness) if hints is None else hints
            lightness = torch.cat([lightness, hints], dim=1)
            for level, skip in enumerate(skips):
                known = _known_in_cells(hints, self._halvings(level), skip[0].shape[-2:])
                skip.append(known.to(skip[0].dtype))
        skips.insert(0, [self.edges(lightness)])
        concatenate = _Concatenation.apply if self.training else _concatenate
        x = self.decoder[-1](skips[-1][0] if len(skips[-1]) == 1 else concatenate(*skips[-1]))
        for level in reversed(range(len(self.upsample))):
            enlarged = _resize(self.upsample[level](x), skips[level][0].shape[-2:])
            x = self.decoder[level](concatenate(enlarged, *skips[level]))
        chroma = torch.tanh(self.to_chroma(x))
        return chroma if self.training else _resize(chroma, (height, width))

    def encode(self, lightness: Tensor) -> Tensor:
        """Compute what the decoder needs of lightness (N, 1, H, W): all features of an image in a row, (N, D)."""
        return torch.cat([x.permute(0, 2, 3, 1).flatten(1) for x in self._features(lightness)], dim=1)

    def num_features(self, image_shape: tuple[int, int]) -> int:
        """D of `encode` for images of this height and width."""
        return sum(math.prod(shape) for shape in self._feature_shapes(image_shape))

    def chroma_shape(self, image_shape: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the chroma that is trained on images of this height and width."""
        height, width = image_shape
        return image_shape if self.resolution == "full" else (height // 2, width // 2)

    def _halvings(self, level: int) -> int:
        """How often an image can be halved before it is smaller than the features of a level."""
        side = -(-self._encoder_size // 2 ** (self._first + level + 1))
        return max(0, (self._image_size // side).bit_length() - 1)

    def _features(self, lightness: Tensor) -> list[Tensor]:
        enlarged = _resize(lightness, self._enlarged(lightness.shape[-2:]))
        return self.encoder(enlarged.expand(-1, 3, -1, -1))[self._first :]

    def _unflatten(self, encoded: Tensor, image_shape: tuple[int, int]) -> list[Tensor]:
        shapes = self._feature_shapes(image_shape)
        parts = [part.contiguous() for part in encoded.split([math.prod(shape) for shape in shapes], dim=1)]
        return [part.unflatten(1, shape).permute(0, 3, 1, 2) for part, shape in zip(parts, shapes, strict=True)]

    def _feature_shapes(self, image_shape: tuple[int, int]) -> list[tuple[int, int, int]]:
        """Height, width and channels of each of the features."""
        rows, columns = self._enlarged(image_shape)
        return [
            (-(-rows // 2 ** (level + 1)), -(-columns // 2 ** (level + 1)), CHANNELS[level])
            for level in range(self._first, len(CHANNELS))
        ]

    def _enlarged(self, image_shape: Sequence[int]) -> list[int]:
        return [side * self._encoder_size // self._image_size for side in image_shape]


class _Level(nn.Sequential):
    """Convolution, batch norm, ReLU: (N, below + beside, H, W) -> (N, C, H, W)."""

    def __init__(self, below: int, beside: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(below + beside, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class _Upsample(nn.Module):
    """Double the size by pixel shuffle: (N, C, h, w) -> (N, C, 2 h, 2 w).

    There is no checkerboard: the four pixels of a square begin with equal weights (ICNR), and a blur of 2 x 2 follows.
    Source: Aitken et al., "Checkerboard artifact free sub-pixel convolution" (2017); Sugawara et al.,
    "Super-resolution using convolutional neural networks without any checkerboard artifacts" (2018).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        weight = nn.init.kaiming_normal_(torch.empty(channels, channels, 1, 1))
        with torch.no_grad():
            self.convolution.weight.copy_(weight.repeat_interleave(4, dim=0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self._forward_in_training(x)
        x = functional.relu(functional.pixel_shuffle(self.convolution(x), 2), inplace=True)
        return functional.avg_pool2d(functional.pad(x, [1, 0, 1, 0], mode="replicate"), 2, stride=1)

    def _forward_in_training(self, x: Tensor) -> Tensor:
        """The same, quicker: all channels of a pixel are shuffled together, after the ReLU.

        A quarter of each weight makes sums of four pixels their means. Under autocast the sums are rounded to bf16.
        """
        channels = x.shape[1]
        weight = self.convolution.weight.unflatten(0, (channels, 4)).transpose(0, 1).flatten(0, 1)
        x = functional.relu(functional.conv2d(x, weight / 4), inplace=True)
        squares = x.permute(0, 2, 3, 1).unflatten(-1, (2, 2, channels)).transpose(2, 3)  # N, h, 2, w, 2, C
        return _SumsOfFour.apply(squares.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2))


class _SumsOfFour(Function):
    """Sum of each pixel, its left neighbour, and the two above; at a border the pixel takes the missing one's place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _add_previous(_add_previous(x, -1), -2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _add_next(_add_next(grad, -2), -1)


def _add_previous(x: Tensor, dim: int) -> Tensor:
    result, last = torch.empty_like(x), x.shape[dim] - 1
    torch.add(x.narrow(dim, 1, last), x.narrow(dim, 0, last), out=result.narrow(dim, 1, last))
    torch.add(x.narrow(dim, 0, 1), x.narrow(dim, 0, 1), out=result.narrow(dim, 0, 1))
    return result


def _add_next(grad: Tensor, dim: int) -> Tensor:
    """The adjoint of `_add_previous`."""
    result, last = torch.empty_like(grad), grad.shape[dim] - 1
    torch.add(grad.narrow(dim, 0, last), grad.narrow(dim, 1, last), out=result.narrow(dim, 0, last))
    result.narrow(dim, last, 1).copy_(grad.narrow(dim, last, 1))
    result.narrow(dim, 0, 1).add_(grad.narrow(dim, 0, 1))
    return result


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return x if x.shape[-2:] == tuple(size) else functional.interpolate(x, size=list(size), mode="bilinear")


def _known_in_cells(hints: Tensor, halvings: int, size: Sequence[int]) -> Tensor:
    """Reduce hints (N, 3, H, W) to `size`: the mean of the colours that are known in each cell, and whether any is."""
    sums = hints  # but for a factor
    for _ in range(halvings):
        sums = functional.avg_pool2d(sums, 2, ceil_mode=True)
    sums = _resize(sums, size)
    chroma, known = sums[:, :2], sums[:, 2:]
    return torch.cat([chroma / known.clamp(min=1e-6), (known > 0).to(known.dtype)], dim=1)


def _concatenate(*parts: Tensor) -> Tensor:
    return torch.cat(parts, dim=1)


class _Concatenation(Function):
    """torch.cat of feature maps whose gradients come back `dense`.

    Those of torch.cat are views into the whole: batch norm and bilinear resizing need up to eight times as long for
    them.
    """

    @staticmethod
    def forward(ctx: Any, *parts: Tensor) -> Tensor:
        ctx.channels = [part.shape[1] for part in parts]
        return _concatenate(*parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        return tuple(map(dense, grad.split(ctx.channels, dim=1)))
