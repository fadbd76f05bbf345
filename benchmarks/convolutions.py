"""Convolutions that halve or double the size: PyTorch's own beside matrix products, forward and back.

    python -m benchmarks.convolutions

Batches of 16, channels last, in the device's fast precision. `positions` are those of the windows in all images; the
training step takes matrix products where these are fewer than 4 times the channels (colorizer/networks/im2col.py).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.textbook import peak, seconds_of
from colorizer.networks.devices import choose_precision
from colorizer.networks.im2col import DownConv2d, UpConv2d, _Down, _is_faster, _Up

BATCH, RUNS = 16, 7
LAYERS: list[tuple[type[DownConv2d] | type[UpConv2d], int, int, int]] = [  # channels in and out, side of the input
    (DownConv2d, 2, 64, 224),
    (DownConv2d, 128, 256, 56),
    (DownConv2d, 256, 512, 28),
    (DownConv2d, 512, 512, 14),
    (DownConv2d, 512, 512, 7),
    (UpConv2d, 512, 512, 3),
    (UpConv2d, 1024, 512, 7),
    (UpConv2d, 1024, 256, 14),
    (UpConv2d, 512, 128, 28),
    (DownConv2d, 64, 128, 16),
    (DownConv2d, 128, 256, 8),
    (DownConv2d, 256, 256, 4),
    (UpConv2d, 512, 128, 4),
    (UpConv2d, 256, 64, 8),
]


def milliseconds(convolve: Callable[[], Tensor], x: Tensor, weight: Tensor) -> float:
    def step() -> None:
        y = convolve()
        torch.autograd.grad(y, [x, weight], torch.ones_like(y))

    step()
    return float(np.median([seconds_of(step) for _ in range(RUNS)])) * 1e3


def main() -> None:
    dtype = torch.bfloat16 if choose_precision("auto", torch.device("cpu")) == "bf16" else torch.float32
    print(f"{dtype}, {torch.get_num_threads()} threads; matrix product {peak(dtype) / 1e9:.0f} GFLOP/s\n")
    print("| layer | input | positions | convolution, ms | matrix products, ms | ratio | taken |")
    print("|---|---|---:|---:|---:|---:|---|")
    for kind, channels, out_channels, side in LAYERS:
        layer = kind(channels, out_channels, bias=False).to(dtype)
        layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = torch.randn(BATCH, channels, side, side, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
        positions = BATCH * (side // 2 if kind is DownConv2d else side) ** 2
        if kind is DownConv2d:
            ways = [
                partial(functional.conv2d, x, layer.weight, stride=2, padding=1),
                partial(_Down.apply, x, layer.weight),
            ]
        else:
            size = [2 * side, 2 * side]
            ways = [
                partial(functional.conv_transpose2d, x, layer.weight, stride=2, padding=1),
                partial(_Up.apply, x, layer.weight, size),
            ]
        plain, products = (milliseconds(way, x, layer.weight) for way in ways)
        taken = "yes" if _is_faster(layer, positions) else ""
        name = "down" if kind is DownConv2d else "up"
        print(
            f"| {name} {channels} to {out_channels} | {side} x {side} | {positions:,} | {plain:.1f} | {products:.1f} | "
            f"{plain / products:.2f} | {taken} |"
        )


if __name__ == "__main__":
    main()
