import pytest
import torch
from torch import sigmoid

from colorizer.losses import adversarial_loss, discriminator_loss, l1_loss

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
