"""Exports the pretrained encoder as ONNX: dense descriptors, vectors by which the cells of pictures can be compared."""

import io
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorizer.networks.efficientnet import EfficientNetLite0, load_efficientnet_lite0

_OPSET = 18


class DenseDescriptors(nn.Module):
    """Codes of L (N, 1, H, W) float -> a descriptor of every cell of 16 x 16 px, (N, 432, H / 16, W / 16).

    H and W are multiples of 32. A descriptor joins the encoder's features at 1/16 of the size, which see the cell, with
    those at 1/32, which see its surroundings. Each half has the length sqrt(1/2), so the product of two descriptors is
    the mean of two cosines, in [-1, 1].
    """

    def __init__(self, encoder: EfficientNetLite0) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, lightness: Tensor) -> Tensor:
        *_, cells, surroundings = self.encoder((lightness / 127.5 - 1).expand(-1, 3, -1, -1))
        surroundings = functional.interpolate(surroundings, scale_factor=2.0, mode="bilinear")
        halves = [functional.normalize(half, dim=1) for half in (cells, surroundings)]
        return torch.cat(halves, dim=1) * 0.5**0.5


def descriptors_as_onnx() -> bytes:
    """Export `DenseDescriptors` with the published weights: input `lightness`, output `descriptors`, of any size.

    Raises the errors of `load_efficientnet_lite0`.
    """
    content = io.BytesIO()
    sides = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age
        torch.onnx.export(
            DenseDescriptors(load_efficientnet_lite0()).eval(),
            (torch.zeros(2, 1, 64, 96),),
            content,  # type: ignore[arg-type]
            input_names=["lightness"],
            output_names=["descriptors"],
            dynamic_axes={"lightness": sides, "descriptors": sides},
            opset_version=_OPSET,
            dynamo=False,
        )
    return content.getvalue()
