"""Several processes that train one model: the same as one, and one that dies ends them all."""

import os
import signal
import tempfile
from functools import partial

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from colorizer.core.lab import Normalization
from colorizer.epochs import loop
from colorizer.training.batch_norm import synchronize_batch_norm
from colorizer.training.batches import Batch, TrainingBatches
from colorizer.training.distributed import ProcessGroup, launch, process_group
from colorizer.training.gan import DivergedError
from colorizer.training.training_data import open_training_data
from settings import paths
from tests.support.disturbed import ask_for_training, newest_epoch, results, running, wait_until
from tests.support.workspace import BIN, FOREIGN_NAME
from tests.training.test_gan import CPU, gan_for, pretrained_gan


def train_two_epochs(group: ProcessGroup, store, pretrained: bool) -> tuple:
    """One of L1 alone and one of both losses, mirrored and averaged; the last batch of five cannot be halved.

    On a pretrained encoder, whose features are known before, or without one. In float64: in float32, Adam makes more
    of the rounding with every step.
    """
    torch.set_num_threads(1)
    make = pretrained_gan if pretrained else partial(gan_for, 32)
    gan = make(ema_decay=0.9, dtype=torch.float64, group=group)
    encoded = None
    if pretrained:
        lightness = torch.from_numpy(store[:, None, :, :, 0] / 127.5 - 1)
        with torch.no_grad():
            encoded = torch.cat([gan.generator.encode(seen) for seen in (lightness, lightness.flip(-1))]).numpy()
    losses = []
    for epoch in (1, 2):
        batches = TrainingBatches(
            store,
            np.arange(len(store)),
            Normalization(),
            batch_size=8,
            flip=True,
            seed=0,
            epoch=epoch,
            device=CPU,
            group=group,
            encoded=encoded,
        )
        means = gan.fit(
            (Batch(*(x.double() if isinstance(x, torch.Tensor) else x for x in batch)) for batch in batches),
            learning_rate=2e-4,
            adversarial=epoch > 1,
            first_step=0,
        )
        losses.append(means)
    return gan, losses


def networks_of(gan) -> dict[str, dict[str, np.ndarray]]:
    networks = {"generator": gan.generator, "discriminator": gan.discriminator, "ema": gan.ema.module}
    return {name: {key: value.numpy() for key, value in net.state_dict().items()} for name, net in networks.items()}


def train_as_rank(store):
    with process_group(CPU) as group:
        trained = [train_two_epochs(group, store, pretrained) for pretrained in (False, True)]
        return group.world_size, [(networks_of(gan), losses) for gan, losses in trained]


@pytest.mark.slow
def test_two_processes_train_as_one_wherever_temporary_files_lie(photographs, tmp_path, monkeypatch):
    (tmp_path / FOREIGN_NAME).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / FOREIGN_NAME))
    store = photographs[:29]
    alone = [train_two_epochs(ProcessGroup(), store, pretrained) for pretrained in (False, True)]
    ranks = launch(2, train_as_rank, store)
    assert sorted(ranks) == [0, 1]
    for world_size, trained in ranks.values():
        assert world_size == 2
        for (networks, losses), (one, expected) in zip(trained, alone, strict=True):
            for epoch, means in zip(losses, expected, strict=True):
                assert epoch == pytest.approx(means, rel=1e-9)
            for name, weights in networks_of(one).items():
                for key, weight in weights.items():
                    where = f"{name} {key}"
                    np.testing.assert_allclose(networks[name][key], weight, rtol=1e-6, atol=1e-8, err_msg=where)


@pytest.mark.thorough
def test_after_an_interrupt_and_after_the_death_of_a_process_it_goes_on(committed):
    ask_for_training(committed)
    committed.edit_params(num_processes="2", batch_size="8", epochs="300")
    process = committed.start(str(BIN / "python"), "-m", "stages.train")
    wait_until(lambda: newest_epoch(committed) >= 1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(timeout=60) == 130
    assert committed.printed.count("train: interrupted") == 1
    assert "Traceback" not in committed.printed

    reached = newest_epoch(committed)
    process = committed.start(str(BIN / "python"), "-m", "stages.train")
    wait_until(lambda: newest_epoch(committed) > reached)
    other = ranks_of(process.pid)[1]
    other.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == 1
    said = [line for line in committed.printed.splitlines() if line.startswith("train: ")]
    line = said[-1]
    assert f"train: resuming after epoch {reached}" in committed.printed
    assert line.startswith(
        f"train: process 2 of 2 (pid {other.pid}) was killed by SIGKILL: training stops; run it again"
    )
    assert "Traceback" not in committed.printed

    last = newest_epoch(committed) + 1
    committed.edit_params(epochs=str(last))
    torchrun = str(BIN / "torchrun"), "--nproc-per-node=2", "--master-addr=127.0.0.1", "-m", "stages.train"
    output = committed.run(*torchrun).stdout
    assert "resuming after epoch" in output
    finished = results(committed, last)
    for published in committed.path.glob("scratch/*/published.json"):
        published.unlink()
    assert f"resuming after epoch {last}" in committed.run(*torchrun).stdout  # nothing is left to train, for anyone
    assert results(committed, last) == finished


def test_the_ranks_end_with_their_launcher_even_while_they_start(committed):
    committed.edit_params(num_processes="2", batch_size="8")
    process = committed.start(str(BIN / "python"), "-m", "stages.train")
    wait_until(lambda: len(ranks_of(process.pid)) == 2)
    ranks = ranks_of(process.pid)
    process.kill()
    assert not running(ranks.values(), seconds=60)


def diverge() -> str:
    data = open_training_data(paths.LAB_STORE, paths.NORMALIZATION, paths.TRAIN_IMAGES, paths.VALIDATION_IMAGES)
    with process_group(CPU) as group:
        gan = gan_for(32, batch_size=8, group=group)
        if group.rank:
            loop.follow(gan, data)
            return "followed"
        group.broadcast(None)  # no state to resume from
        group.broadcast((2, 1e39))
        with pytest.raises(DivergedError):
            loop.train_epoch(gan, data, 2, 1e39)
        return "diverged"


def test_divergence_ends_all_ranks_and_only_rank_0_speaks(committed, monkeypatch, capfd):
    monkeypatch.chdir(committed.path)
    assert launch(2, diverge) == {0: "diverged", 1: "followed"}
    assert capfd.readouterr() == ("", "")


def ranks_of(launcher: int) -> dict[int, psutil.Process]:
    """Find the ranks that a launcher has started so far, by their numbers."""
    numbers = {child: child.environ().get("RANK") for child in psutil.Process(launcher).children()}
    return {int(number): child for child, number in numbers.items() if number is not None}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_batch_norm_over_all_processes_is_batch_norm(dtype):
    """A mean of five deviations, where rounded statistics would show; weights and statistics stay float32."""
    torch.manual_seed(0)
    values, gradient = (torch.randn(4, 8, 16, 16) + 5).to(dtype), torch.randn(4, 8, 16, 16).to(dtype)
    plain, shared = nn.Sequential(nn.BatchNorm2d(8)), nn.Sequential(nn.BatchNorm2d(8))
    synchronize_batch_norm(shared, ProcessGroup(), CPU)
    seen = []
    for network in (plain, shared):
        x = values.clone().requires_grad_()
        y = network(x)
        y.backward(gradient)
        seen.append((y, x.grad, network[0].weight.grad, *network.state_dict().values()))
    exact, rounded = {"rtol": 1e-4, "atol": 1e-4}, {"rtol": 0.02, "atol": 0.02}
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(other, one, **(rounded if one.dtype == torch.bfloat16 else exact))


@pytest.mark.parametrize(
    ("edits", "environment", "message"),
    [
        (
            {"num_processes": "5"},
            {},
            "train.num_processes is 5, but the last batch of an epoch holds 1 images only: change "
            "train.batch_size or split.train",
        ),
        (
            {"num_processes": "2"},
            {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "3", "RANK": "0"},
            "train.num_processes is 2, but torchrun started 3 processes: set it to 3",
        ),
    ],
)
def test_processes_that_do_not_fit_are_one_line(committed, edits, environment, message):
    committed.edit_params(**edits)
    result = committed.stage("train", check=False, **environment)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == f"train: {message}"
    assert "Traceback" not in result.stdout
