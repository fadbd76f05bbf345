"""The epochs of a training: the loop of the first process, and what the other processes do meanwhile."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from colorizer.core.progress import Progress
from colorizer.networks.devices import make_repeatable
from colorizer.training.distributed import Processes, share_threads
from colorizer.training.gan import GAN, DivergedError
from colorizer.training.training_state import check_finite, load_state
from settings.params import Train
from stages.train.run import Run, TrainedEpoch
from stages.train.setup import Setup


def train_epochs(run: Run, processes: Processes) -> None:
    """Train the epochs that are missing. Each is validated, saved and logged before the next one begins."""
    setup = run.setup
    gan = setup.make_gan(processes)
    _load(gan, run.state)
    with Progress("train", total=run.epochs_left * len(setup.images)) as progress:
        for number, learning_rate in run.remaining_epochs(progress):
            processes.agree((number, learning_rate))
            with run.advice_after_divergence(number):
                epoch = train_epoch(gan, setup, number, learning_rate, run.on_batch(progress))
                scores = run.validate(gan)
            warnings = run.save(epoch, gan, scores)
            run.report(epoch, warnings, progress)
    processes.agree(None)


def assist(processes: Processes, options: Train, device: torch.device) -> None:
    """Train the same epochs as the first process, on this process's part of every batch."""
    precision = processes.agree()
    if precision is None:  # there is nothing to train
        return
    share_threads(processes.count)
    make_repeatable(device)
    setup = Setup(options, device, precision)
    gan = setup.make_gan(processes)
    _load(gan, None)
    while order := processes.agree():
        try:
            train_epoch(gan, setup, *order)
        except DivergedError:
            return  # the first process says so


def train_epoch(
    gan: GAN,
    setup: Setup,
    number: int,
    learning_rate: float,
    on_batch: Callable[[int, dict[str, Tensor], float], None] = lambda *_: None,
) -> TrainedEpoch:
    """Train on all training images once. `on_batch` gets a batch's images, its losses, and the share of time waited.

    Raises DivergedError, in all processes alike, when losses or the state after the epoch are not finite.
    """
    batches = setup.batches(number, gan.processes)
    started = time.monotonic()
    losses = gan.fit(
        batches,
        learning_rate=learning_rate,
        adversarial=number > setup.options.l1_epochs,
        first_step=(number - 1) * setup.steps_per_epoch,
        on_batch=lambda count, losses: on_batch(count, losses, batches.seconds_waited / (time.monotonic() - started)),
    )
    check_finite(gan)
    return TrainedEpoch(
        number=number,
        learning_rate=learning_rate,
        losses=losses,
        seconds=time.monotonic() - started,
        seconds_waited_for_data=batches.seconds_waited,
    )


def _load(gan: GAN, state: Path | None) -> None:
    """Resume from the state that the first process names; without one, keep the initial weights."""
    if state := gan.processes.agree(state):
        load_state(state, gan)
