"""Convolutions by matrix products beside PyTorch's own."""

import pytest
import torch
from torch import nn

from colorizer.networks.im2col import DownConv2d, UpConv2d
from tests.support.operators import Operators


def results(layer, x, *more):
    """The output, and the gradients of x and of the weights for a given gradient of the output."""
    x = x.clone().requires_grad_()
    with Operators() as operators:
        y = layer(x, *more)
        gradient = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
        gradients = torch.autograd.grad(y, [x, layer.weight], gradient)
    return [y, *gradients], operators.count


@pytest.mark.parametrize("channels", [(64, 24), (24, 64)])
@pytest.mark.parametrize("shape", [(2, 2), (4, 6), (7, 5), (3, 2)])
@pytest.mark.parametrize("kind", ["down", "up", "up, one more"])
def test_they_are_the_convolutions_of_pytorch(kind, shape, channels):
    torch.manual_seed(0)
    if kind == "down":
        layer, plain = DownConv2d(*channels, bias=False), nn.Conv2d(*channels, 4, 2, 1, bias=False)
        more = []
    else:
        layer, plain = UpConv2d(*channels, bias=False), nn.ConvTranspose2d(*channels, 4, 2, 1, bias=False)
        more = [[2 * side + (kind != "up") for side in shape]]
    for network in (layer, plain):
        network.double().to(memory_format=torch.channels_last)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(3, channels[0], *shape, dtype=torch.float64).to(memory_format=torch.channels_last)
    ours, ours_operators = results(layer, x, *more)
    theirs, theirs_operators = results(plain, x, *more)
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other)
        assert own.stride() == own.contiguous(memory_format=torch.channels_last).stride()
    assert "mm" in ours_operators
    assert "convolution" not in ours_operators
    assert "convolution" in theirs_operators


@pytest.mark.parametrize("kind", [DownConv2d, UpConv2d])
def test_large_feature_maps_biases_and_trained_models_stay_with_pytorch(kind):
    more = [[64, 64]] if kind is UpConv2d else []
    x = torch.randn(1, 8, 32, 32)
    layer = kind(8, 8, bias=False)
    assert "convolution" in results(layer, x, *more)[1]
    small, more = x[..., :4, :4], [[8, 8]] if kind is UpConv2d else []
    assert "convolution" not in results(layer, small, *more)[1]
    assert "convolution" in results(kind(8, 8, bias=True), small, *more)[1]
    assert "convolution" in results(layer.eval(), small, *more)[1]


def test_autocast_rounds_as_it_does_for_pytorch():
    torch.manual_seed(0)
    x, layer = torch.randn(1, 64, 4, 4), DownConv2d(64, 64, bias=False)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer(x)
    assert rounded.dtype == torch.bfloat16
    exact = nn.functional.conv2d(x.bfloat16().float(), layer.weight.bfloat16().float(), stride=2, padding=1)
    torch.testing.assert_close(rounded, exact.bfloat16())
    rounded.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32
