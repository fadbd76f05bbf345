"""Convolutions that halve or double the size of feature maps, as matrix products where those are faster.

PyTorch's convolutions are slow on a CPU where feature maps are small and channels are many: in bf16 with AMX they reach
a tenth of what a matrix product does. So all windows of the input are put in rows first, which is known as im2col; its
adjoint, which adds windows up where they overlap, as col2im.
Source: Chellapilla et al., "High Performance Convolutional Neural Networks for Document Processing" (2006).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_SIDE = 4  # of the windows, which are two pixels apart; the image has a border of one pixel of zeros


class DownConv2d(nn.Conv2d):
    """4 x 4 convolution of stride 2: (N, C, H, W) -> (N, C', H // 2, W // 2). Weights and results are nn.Conv2d's."""

    def __init__(self, channels: int, out_channels: int, *, bias: bool) -> None:
        super().__init__(channels, out_channels, _SIDE, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and _is_faster(self, len(x) * (x.shape[-2] // 2) * (x.shape[-1] // 2)):
            return _Down.apply(*_cast(x, self.weight))
        return super().forward(x)  # exports, too, hold plain convolutions


class UpConv2d(nn.ConvTranspose2d):
    """4 x 4 transposed convolution of stride 2: (N, C, h, w) -> (N, C', 2 h, 2 w), or one more row or column.

    Weights and results are nn.ConvTranspose2d's.
    """

    def __init__(self, channels: int, out_channels: int, *, bias: bool) -> None:
        super().__init__(channels, out_channels, _SIDE, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor, output_size: list[int]) -> Tensor:  # type: ignore[override]
        if self.training and _is_faster(self, len(x) * x.shape[-2] * x.shape[-1]):
            return _Up.apply(*_cast(x, self.weight), output_size)
        return super().forward(x, output_size)


def _is_faster(layer: nn.Conv2d | nn.ConvTranspose2d, positions: int) -> bool:
    """Whether matrix products are the faster way; `positions` are those of the windows in all images.

    Measured on two cores with AMX: up to here they are 1.6 to 5 times as fast, beyond they are not
    (docs/performance.md).
    """
    is_few = positions < 4 * max(layer.in_channels, layer.out_channels)
    return is_few and layer.bias is None and layer.weight.device.type == "cpu"


def _cast(*tensors: Tensor) -> list[Tensor]:
    """Round as autocast does for PyTorch's convolutions."""
    is_enabled = torch.is_autocast_enabled("cpu")
    return [tensor.to(torch.get_autocast_dtype("cpu")) if is_enabled else tensor for tensor in tensors]


class _Down(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        windows = _im2col(x)
        ctx.save_for_backward(windows, weight)
        ctx.shape = x.shape
        return _images(windows @ _matrix(weight).t(), len(x), x.shape[-2] // 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        windows, weight = ctx.saved_tensors
        of_x, of_weight = None, None
        rows = _rows(gradient)
        if ctx.needs_input_grad[0]:
            of_x = _col2im(rows @ _matrix(weight), ctx.shape)
        if ctx.needs_input_grad[1]:
            of_weight = _kernels(rows.t() @ windows)
        return of_x, of_weight


class _Up(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, size: list[int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _col2im(_rows(x) @ _matrix(weight), (len(x), weight.shape[1], *size))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = None, None
        windows = _im2col(gradient)
        if ctx.needs_input_grad[0]:
            of_x = _images(windows @ _matrix(weight).t(), len(x), x.shape[-2])
        if ctx.needs_input_grad[1]:
            of_weight = _kernels(_rows(x).t() @ windows)
        return of_x, of_weight, None


def _im2col(x: Tensor) -> Tensor:
    """Images (N, C, H, W) -> one row a window, of all channels of its first pixel, then the next: (N h w, 16 C)."""
    padded = functional.pad(x.permute(0, 2, 3, 1), [0, 0, 1, 1, 1, 1]).contiguous()
    windows = padded.unfold(1, _SIDE, 2).unfold(2, _SIDE, 2)  # a view: (N, h, w, C, 4, 4)
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, _SIDE * _SIDE * x.shape[1])


def _col2im(windows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Windows (N h w, 16 C) -> images of this shape (N, C, H, W), each pixel the sum of all windows that it is in."""
    num_images, channels, height, width = shape
    h, w = height // 2, width // 2
    # A window is two by two blocks of two by two pixels, and the next window begins a block further.
    windows = windows.view(num_images, h, w, 2, 2, 2, 2, channels).permute(3, 5, 0, 1, 4, 2, 6, 7)
    blocks = windows.new_zeros(
        (num_images, (height + 3) // 2, 2, (width + 3) // 2, 2, channels),
        dtype=torch.promote_types(windows.dtype, torch.float32),
    )
    for row in range(2):
        for column in range(2):
            blocks[:, row : row + h, :, column : column + w] += windows[row, column]
    padded = blocks.flatten(3, 4).flatten(1, 2)
    return padded[:, 1 : height + 1, 1 : width + 1].to(windows.dtype).contiguous().permute(0, 3, 1, 2)


def _matrix(weight: Tensor) -> Tensor:
    """Kernels (A, B, 4, 4) as a matrix (A, 16 B), in the order of `_im2col`: a view of channels-last weights."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def _kernels(matrix: Tensor) -> Tensor:
    """Inverse of `_matrix`."""
    return matrix.view(len(matrix), _SIDE, _SIDE, -1).permute(0, 3, 1, 2)


def _rows(x: Tensor) -> Tensor:
    """Images (N, C, H, W) as (N H W, C): a view of channels-last images."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _images(rows: Tensor, num_images: int, height: int) -> Tensor:
    """Inverse of `_rows`."""
    return rows.view(num_images, height, -1, rows.shape[1]).permute(0, 3, 1, 2)
