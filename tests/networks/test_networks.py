import pytest
import torch

from colorizer.core.errors import UserError
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.efficientnet import load_efficientnet_lite0
from colorizer.networks.layers import check_num_downs, max_num_downs
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.networks.unet import UNet

UPSAMPLINGS = ("transposed", "resize")


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("shape", [(32, 32), (37, 51), (33, 16), (47, 31)])
def test_chroma_has_the_size_of_lightness(upsampling, shape):
    for resolution in ("full", "half"):
        generator = UNet(width=4, num_downs=4, upsampling=upsampling, resolution=resolution)
        lightness = torch.randn(2, 1, *shape)
        assert generator(lightness).shape == (2, 2, *generator.chroma_shape(shape))
        chroma = generator.eval()(lightness)
        assert chroma.shape == (2, 2, *shape)
        assert chroma.abs().max() < 1


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("num_downs", [1, 2, 5])
def test_gradient_reaches_every_weight_of_the_generator(upsampling, num_downs):
    generator = UNet(width=4, num_downs=num_downs, upsampling=upsampling)
    generator(torch.randn(2, 1, 64, 64)).square().sum().backward()
    assert [name for name, weight in generator.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@pytest.mark.parametrize("shape", [(64, 64), (61, 75), (48, 96)])
@pytest.mark.parametrize(("encoder_size", "image_size"), [(128, 64), (96, 64), (64, 64), (256, 64), (64, 128)])
@pytest.mark.parametrize("resolution", ["full", "half"])
def test_a_pretrained_unet_has_the_size_of_lightness_too(resolution, encoder_size, image_size, shape):
    generator = PretrainedUNet(encoder_size=encoder_size, image_size=image_size, width=4, resolution=resolution)
    lightness = torch.rand(2, 1, *shape) * 2 - 1
    assert generator(lightness).shape == (2, 2, *generator.chroma_shape(shape))
    assert generator.eval()(lightness).shape == (2, 2, *shape)


@pytest.mark.parametrize("resolution", ["full", "half"])
def test_gradient_reaches_every_weight_of_a_pretrained_unet(resolution):
    generator = PretrainedUNet(encoder_size=128, image_size=64, width=4, resolution=resolution)
    generator.encoder = load_efficientnet_lite0()
    generator(torch.rand(2, 1, 64, 64) * 2 - 1).square().sum().backward()
    assert [name for name, weight in generator.named_parameters() if weight.grad is None or not weight.grad.any()] == []


def generator_with_hints(kind, resolution):
    torch.manual_seed(0)
    if kind == "plain":
        return UNet(width=4, num_downs=3, upsampling="transposed", resolution=resolution, hints=True)
    generator = PretrainedUNet(encoder_size=96, image_size=64, width=4, resolution=resolution, hints=True)
    generator.encoder = load_efficientnet_lite0()
    return generator


@pytest.mark.parametrize("shape", [(128, 128), (121, 135)])
@pytest.mark.parametrize("resolution", ["full", "half"])
@pytest.mark.parametrize("kind", ["plain", "pretrained"])
def test_a_hint_is_followed_at_its_place_and_not_far_away(kind, resolution, shape):
    generator = generator_with_hints(kind, resolution)
    lightness, hints = torch.rand(2, 1, *shape) * 2 - 1, torch.zeros(2, 3, *shape)
    hints[0, :, 18:24, 18:24] = torch.tensor([0.5, -0.5, 1.0]).view(3, 1, 1)
    sum(chroma.square().sum() for chroma in generator(lightness, hints)).backward()
    assert [name for name, weight in generator.named_parameters() if weight.grad is None or not weight.grad.any()] == []
    generator.eval()
    with torch.no_grad():
        without, followed = generator(lightness), generator(lightness, hints)
    assert followed.shape == (2, 2, *shape)
    assert (followed[0, :, 20, 20] - hints[0, :2, 20, 20]).abs().max() < 0.1
    assert (followed - without)[0, :, 110:, 110:].abs().max() < 0.01
    assert torch.equal(followed[1], without[1])  # nothing is known of it


def test_pixel_shuffle_begins_without_a_checkerboard():
    upsample = PretrainedUNet(encoder_size=128, image_size=64, width=4, resolution="half").upsample[0]
    enlarged = upsample(torch.rand(1, 8, 1, 1).expand(-1, -1, 3, 5))
    assert enlarged.shape == (1, 8, 6, 10)
    assert enlarged.max() > 0
    torch.testing.assert_close(enlarged, enlarged[..., :1, :1].expand_as(enlarged))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5)])
def test_pixel_shuffle_trains_what_it_colours_with(shape):
    torch.manual_seed(0)
    upsample = PretrainedUNet(encoder_size=128, image_size=64, width=4, resolution="half").upsample[0]
    upsample.double().to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, *shape, dtype=torch.float64, requires_grad=True)
    weight = upsample.convolution.weight.requires_grad_()
    with torch.no_grad():
        weight += 0.1 * torch.randn_like(weight)  # or the four pixels of a square would be equal
    trained = upsample(x)
    colored = upsample.eval()(x)
    torch.testing.assert_close(trained, colored)
    own, expected = (torch.autograd.grad(y.square().sum(), [x, weight]) for y in (trained, colored))
    torch.testing.assert_close(own, expected)


def test_the_encoder_sees_whole_pixels_at_the_multiple_of_sides():
    for encoder_size, image_size, multiple in ((128, 64, 16), (224, 224, 32), (96, 64, 64), (256, 64, 8)):
        generator = PretrainedUNet(encoder_size=encoder_size, image_size=image_size, width=4, resolution="half")
        assert generator.side_multiple == multiple
        assert multiple * encoder_size % (32 * image_size) == 0


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("output", ["image", "patch"])
def test_gradient_reaches_every_weight_of_the_discriminator(conditional, output):
    discriminator = Discriminator(width=4, num_downs=3, conditional=conditional, output=output, image_shape=(37, 51))
    logits = discriminator(torch.randn(2, 1, 37, 51), torch.randn(2, 2, 37, 51))
    assert logits.shape == ((2, 1) if output == "image" else (2, 1, 3, 5))
    logits.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in discriminator.parameters())


def test_only_a_discriminator_of_lab_looks_at_lightness():
    chroma = torch.randn(2, 2, 16, 16)
    for conditional in (False, True):
        discriminator = Discriminator(
            width=4, num_downs=2, conditional=conditional, output="patch", image_shape=(16, 16)
        ).eval()
        first, second = (discriminator(torch.full((2, 1, 16, 16), value), chroma) for value in (0.0, 1.0))
        assert (not torch.equal(first, second)) == conditional


def test_the_discriminator_has_no_batch_norm_on_first_and_last_layer():
    discriminator = Discriminator(width=4, num_downs=3, conditional=False, output="patch", image_shape=(32, 32))
    kinds = [type(layer).__name__ for layer in discriminator.layers]
    assert kinds == ["DownConv2d", "LeakyReLU"] + ["DownConv2d", "BatchNorm2d", "LeakyReLU"] * 2 + ["Conv2d"]


@pytest.mark.parametrize(("size", "most"), [(2, 0), (4, 1), (7, 1), (64, 5), (224, 6), (256, 7)])
def test_downs_leave_two_pixels(size, most):
    assert max_num_downs(size) == most
    assert most == 0 or size >> most >= 2
    assert size >> (most + 1) < 2
    message = f"num_downs is {most + 1}, but images of {size} px cannot be halved that often: at most {most}"
    with pytest.raises(UserError, match=message):
        check_num_downs(most + 1, size, "train.generator.num_downs")
