import copy

import pytest
import torch

from colorizer.safetensors_file import DamagedFileError
from colorizer.training import train_epoch
from colorizer.training_state import load_state, save_state
from tests.test_training import RECIPE, adversaries_for, batches_of


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
