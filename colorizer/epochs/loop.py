"""The epoch loops: that of rank 0, which leads the training, and that of the other ranks."""

import time
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from colorizer.core.progress import Progress
from colorizer.epochs.run import Run, TrainedEpoch
from colorizer.training.gan import GAN, DivergedError
from colorizer.training.training_data import TrainingData
from colorizer.training.training_state import check_finite, load_state


def train_epochs(run: Run, gan: GAN) -> None:
    """Train the epochs that are missing. Each is validated, saved and logged before the next one begins."""
    _load(gan, run.state)
    with Progress("train", total=run.epochs_left * len(run.data.images)) as progress:
        for number, learning_rate in run.remaining_epochs(progress):
            gan.group.broadcast((number, learning_rate))
            with run.advice_after_divergence(number):
                epoch = train_epoch(gan, run.data, number, learning_rate, run.on_batch(progress))
                scores = run.validate(gan)
            warnings = run.save(epoch, gan, scores)
            run.report(epoch, warnings, progress)
    gan.group.broadcast(None)


def follow(gan: GAN, data: TrainingData) -> None:
    """Train the same epochs as rank 0, on this rank's part of every batch."""
    _load(gan, None)
    while order := gan.group.broadcast():
        try:
            train_epoch(gan, data, *order)
        except DivergedError:
            return  # rank 0 says so


def train_epoch(
    gan: GAN,
    data: TrainingData,
    number: int,
    learning_rate: float,
    on_batch: Callable[[int, dict[str, Tensor], float], None] = lambda *_: None,
) -> TrainedEpoch:
    """Train on all training images once.

    `on_batch` gets the number of images of a batch, its losses, and the share of time spent waiting for data. Raises
    DivergedError, in all ranks alike, when losses or the state after the epoch are not finite.
    """
    recipe = gan.recipe
    batches = data.batches(recipe, number, gan.device, gan.group)
    started = time.monotonic()
    losses = gan.fit(
        batches,
        learning_rate=learning_rate,
        adversarial=number > recipe.l1_pretrain_epochs,
        first_step=(number - 1) * recipe.steps_per_epoch(len(data.images)),
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
