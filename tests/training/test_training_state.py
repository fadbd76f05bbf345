import copy

import pytest
import torch

from colorizer.networks.safetensors_file import DamagedFileError
from colorizer.training.gan import DivergedError, train_epoch
from colorizer.training.training_state import check_finite, load_state, save_state
from tests.training.test_gan import RECIPE, adversaries_for, batches_of


def train(adversaries, photographs, epoch):
    train_epoch(
        adversaries,
        batches_of(photographs, epoch=epoch),
        **RECIPE | {"adversarial": epoch > 1, "ema_decay": 0.9},
        on_batch=lambda *_: None,
    )


@pytest.mark.parametrize("keep_average", [True, False])
@pytest.mark.parametrize("done", [1, 2])
def test_training_goes_on_to_the_bit(tmp_path, photographs, keep_average, done):
    """After an epoch of L1 alone, when the discriminator's Adam has no moments yet, and after one of both."""
    unbroken, stopped, resumed = (adversaries_for(32, keep_average=keep_average) for _ in range(3))
    for epoch in (1, 2, 3):
        train(unbroken, photographs, epoch)
    for epoch in range(1, done + 1):
        train(stopped, photographs, epoch)
    save_state(tmp_path / "stopped", stopped, {})
    load_state(tmp_path / "stopped", resumed)
    for epoch in range(done + 1, 4):
        train(resumed, photographs, epoch)
    for name, adversaries in (("unbroken", unbroken), ("resumed", resumed)):
        save_state(tmp_path / name, adversaries, {})
    assert (tmp_path / "unbroken").read_bytes() == (tmp_path / "resumed").read_bytes()


def test_moments_lie_in_memory_as_their_weights_do(tmp_path, photographs):
    trained, resumed = adversaries_for(32), adversaries_for(32)
    train(trained, photographs, 2)
    save_state(tmp_path / "state", trained, {})
    load_state(tmp_path / "state", resumed)
    for weight, moments in resumed.generator_optimizer.state.items():
        assert moments["exp_avg"].stride() == weight.stride()
        assert not moments["exp_avg"].requires_grad


def test_a_damaged_state_changes_nothing(tmp_path, photographs):
    trained, fresh = adversaries_for(32), adversaries_for(32)
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
    adversaries = adversaries_for(32, learning_rate=1e39)  # infinite in float32
    options = RECIPE | {"adversarial": False}
    train_epoch(adversaries, batches_of(photographs, batch_size=64), **options, on_batch=lambda *_: None)
    with pytest.raises(DivergedError, match=r"generator/.* is not finite"):
        check_finite(adversaries)


@pytest.mark.parametrize("part", ["average", "discriminator_optimizer"])
def test_the_average_and_the_moments_are_checked_as_well(photographs, part):
    adversaries = adversaries_for(32, keep_average=True)
    train(adversaries, photographs, 2)
    check_finite(adversaries)
    holder = getattr(adversaries, part)
    moments = adversaries.discriminator_optimizer.state
    tensors = holder.state_dict() if part == "average" else next(iter(moments.values()))
    list(tensors.values())[-2].fill_(torch.inf)
    with pytest.raises(DivergedError, match=f"{part}/.* is not finite"):
        check_finite(adversaries)
