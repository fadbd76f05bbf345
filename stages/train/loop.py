"""The epochs of a training: the loop of rank 0, and what the other ranks do meanwhile."""

import time
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from colorizer.core.progress import Progress
from colorizer.training.distributed import ProcessGroup
from colorizer.training.gan import GAN, DivergedError
from colorizer.training.training_state import check_finite, load_state
from stages.train.run import Run, TrainedEpoch
from stages.train.setup import Setup


def train_epochs(run: Run, group: ProcessGroup) -> None:
    """Train the epochs that are missing. Each is validated, saved and logged before the next one begins."""
    setup = run.setup
    gan = setup.make_gan(group)
    _load(gan, run.state)
    with Progress("train", total=run.epochs_left * len(setup.images)) as progress:
        for number, learning_rate in run.remaining_epochs(progress):
            group.broadcast((number, learning_rate))
            with run.advice_after_divergence(number):
                epoch = train_epoch(gan, setup, number, learning_rate, run.on_batch(progress))
                scores = run.validate(gan)
            warnings = run.save(epoch, gan, scores)
            run.report(epoch, warnings, progress)
    group.broadcast(None)


def follow(setup: Setup, group: ProcessGroup) -> None:
    """Train the same epochs as rank 0, on this rank's part of every batch."""
    gan = setup.make_gan(group)
    _load(gan, None)
    while order := group.broadcast():
        try:
            train_epoch(gan, setup, *order)
        except DivergedError:
            return  # rank 0 says so


def train_epoch(
    gan: GAN,
    setup: Setup,
    number: int,
    learning_rate: float,
    on_batch: Callable[[int, dict[str, Tensor], float], None] = lambda *_: None,
) -> TrainedEpoch:
    """Train on all training images once. `on_batch` gets a batch's images, its losses, and the share of time waited.

    Raises DivergedError, in all ranks alike, when losses or the state after the epoch are not finite.
    """
    batches = setup.batches(number, gan.group)
    started = time.monotonic()
    losses = gan.fit(
        batches,
        learning_rate=learning_rate,
        adversarial=number > setup.options.l1_pretrain_epochs,
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
    """Resume from the state that rank 0 names; without one, keep the initial weights."""
    if state := gan.group.broadcast(state):
        load_state(state, gan)
