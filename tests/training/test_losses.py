import numpy as np
import pytest
import torch
from torch import sigmoid

from colorizer.training.losses import adversarial_loss, discriminator_loss, l1_loss, swd_loss

REAL, GENERATED = torch.tensor([[2.0], [-1.0], [0.5]]), torch.tensor([[0.3], [-2.0], [1.5]])


def test_discriminator_loss_is_binary_cross_entropy():
    expected = -sigmoid(REAL).log().mean() - (1 - sigmoid(GENERATED)).log().mean()
    assert discriminator_loss(REAL, GENERATED).item() == pytest.approx(expected.item(), rel=1e-6)


def test_adversarial_loss_is_binary_cross_entropy_against_real():
    assert adversarial_loss(GENERATED).item() == pytest.approx(-sigmoid(GENERATED).log().mean().item(), rel=1e-6)


def test_losses_stay_finite_where_a_sigmoid_would_saturate():
    huge = torch.tensor([1000.0, -1000.0])
    assert discriminator_loss(huge, huge).isfinite()
    assert adversarial_loss(huge).item() == pytest.approx(500)


def test_l1_loss_is_the_mean_absolute_difference():
    generated = torch.tensor([0.5, -0.5])[:, None, None].expand(3, 2, 4, 4)
    assert l1_loss(generated, torch.zeros(3, 2, 4, 4)).item() == pytest.approx(0.5)


def test_colour_loss_is_the_mean_wasserstein_distance_of_compressed_colours_in_four_directions():
    from scipy.stats import wasserstein_distance

    random = torch.Generator().manual_seed(0)
    generated, truth = torch.rand(2, 3, 2, 8, 6, generator=random, dtype=torch.float64)
    distances = []
    for degrees in (0, 45, 90, 135):
        a, b = (
            np.cos(np.radians(degrees)) * c[:, 0] + np.sin(np.radians(degrees)) * c[:, 1]
            for c in (generated.numpy(), truth.numpy())
        )
        distances.append(wasserstein_distance(*(0.05 * np.arcsinh(x.ravel() / 0.05) for x in (a, b))))
    assert swd_loss(generated, truth).item() == pytest.approx(np.mean(distances), rel=1e-9)
    many = [chroma.mT.repeat(1, 1, 20, 16) for chroma in (generated, truth)]  # 46,080 pixels: every third is taken
    assert swd_loss(*many).item() == pytest.approx(np.mean(distances), rel=0.05)


def test_colour_loss_ignores_where_colours_are_and_leads_grey_to_colour():
    truth = torch.rand(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert swd_loss(truth.flip(0, 2, 3), truth).item() == pytest.approx(0, abs=1e-7)
    grey = (1e-3 * truth).requires_grad_()
    swd_loss(grey, truth).backward()
    assert (grey.grad * truth).sum() < 0


def test_colour_loss_sees_a_tint_of_grey_more_than_one_of_a_strong_colour():
    grey, red = torch.zeros(1, 2, 8, 8), torch.full((1, 2, 8, 8), 0.5)
    assert swd_loss(grey + 0.02, grey) > 5 * swd_loss(red + 0.02, red)


def test_colour_loss_and_its_gradient_are_those_of_pytorchs_sort():
    """PyTorch sorts what is no float32."""
    random = torch.Generator().manual_seed(0)
    truth, generated = torch.randn(2, 4, 2, 30, 40, generator=random)
    losses, gradients = [], []
    for precision in (torch.float32, torch.float64):
        chroma = generated.to(precision, copy=True).requires_grad_()
        losses.append(swd_loss(chroma, truth.to(precision)))
        gradients += torch.autograd.grad(losses[-1], chroma)
    torch.testing.assert_close(losses[0].double(), losses[1])
    torch.testing.assert_close(gradients[0].double(), gradients[1], rtol=1e-3, atol=1e-9)
