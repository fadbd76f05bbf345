import copy

import pytest
import torch

from colorizer.networks.safetensors_file import DamagedFileError
from colorizer.training.gan import DivergedError
from colorizer.training.training_state import check_finite, load_state, save_state
from tests.training.test_gan import EPOCH, batches_of, gan_for, pretrained_gan


def train(gan, photographs, epoch):
    gan.fit(batches_of(photographs, epoch=epoch), **EPOCH | {"adversarial": epoch > 1})


GANS = {
    "with average": lambda: gan_for(32, ema_decay=0.9),
    "without": lambda: gan_for(32),
    "frozen encoder": pretrained_gan,
    "pretrained encoder": lambda: pretrained_gan(encoder_learning_rate=1e-4),
}


@pytest.mark.parametrize("kind", GANS)
@pytest.mark.parametrize("done", [1, 2])
def test_training_goes_on_to_the_bit(tmp_path, photographs, kind, done):
    """After an epoch of L1 alone, when the discriminator's Adam has no moments yet, and after one of both."""
    unbroken, stopped, resumed = (GANS[kind]() for _ in range(3))
    for epoch in (1, 2, 3):
        train(unbroken, photographs, epoch)
    for epoch in range(1, done + 1):
        train(stopped, photographs, epoch)
    save_state(tmp_path / "stopped", stopped, {})
    load_state(tmp_path / "stopped", resumed)
    for epoch in range(done + 1, 4):
        train(resumed, photographs, epoch)
    for name, gan in (("unbroken", unbroken), ("resumed", resumed)):
        save_state(tmp_path / name, gan, {})
    assert (tmp_path / "unbroken").read_bytes() == (tmp_path / "resumed").read_bytes()


def test_moments_lie_in_memory_as_their_weights_do(tmp_path, photographs):
    trained, resumed = gan_for(32), gan_for(32)
    train(trained, photographs, 2)
    save_state(tmp_path / "state", trained, {})
    load_state(tmp_path / "state", resumed)
    for weight, moments in resumed.generator_optimizer.state.items():
        assert moments["exp_avg"].stride() == weight.stride()
        assert not moments["exp_avg"].requires_grad


def test_a_damaged_state_changes_nothing(tmp_path, photographs):
    trained, fresh = gan_for(32), gan_for(32)
    train(trained, photographs, 2)
    save_state(tmp_path / "state", trained, {})
    content = bytearray((tmp_path / "state").read_bytes())
    content[-1] ^= 1
    (tmp_path / "state").write_bytes(content)
    before = copy.deepcopy(fresh.generator.state_dict())
    with pytest.raises(DamagedFileError, match="checksum"):
        load_state(tmp_path / "state", fresh)
    assert all(torch.equal(tensor, before[name]) for name, tensor in fresh.generator.state_dict().items())
    assert not fresh.generator_optimizer.state


def test_the_last_update_of_an_epoch_is_checked_which_no_loss_tells_of(photographs):
    gan = gan_for(32)
    options = EPOCH | {"adversarial": False, "learning_rate": 1e39}  # infinite in float32
    gan.fit(batches_of(photographs, batch_size=64), **options)
    with pytest.raises(DivergedError, match=r"generator/.* is not finite"):
        check_finite(gan)


@pytest.mark.parametrize("part", ["average", "discriminator_optimizer"])
def test_the_average_and_the_moments_are_checked_as_well(photographs, part):
    gan = gan_for(32, ema_decay=0.9)
    train(gan, photographs, 2)
    check_finite(gan)
    moments = gan.discriminator_optimizer.state
    tensors = gan.ema.module.state_dict() if part == "average" else next(iter(moments.values()))
    list(tensors.values())[-2].fill_(torch.inf)
    with pytest.raises(DivergedError, match=f"{part}/.* is not finite"):
        check_finite(gan)
