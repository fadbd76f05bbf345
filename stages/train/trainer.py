"""What every process of a training does: the same epochs, on its part of every batch."""

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from colorizer.core.normalization_file import read_normalization
from colorizer.core.store import open_store
from colorizer.networks.devices import Precision, make_repeatable
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.generator import Generator
from colorizer.networks.layers import check_halvings, most_halvings
from colorizer.training.batches import TrainingBatches
from colorizer.training.distributed import Processes, share_threads
from colorizer.training.gan import DivergedError, make_adversaries, set_learning_rate, train_epoch
from colorizer.training.training_state import check_finite, load_state
from settings.params import Train


class Trainer:
    """The networks and the images they learn from. All processes are made alike, and do the same in the same order."""

    def __init__(self, options: Train, device: torch.device, precision: Precision, processes: Processes) -> None:
        self.options, self.device, self.processes = options, device, processes
        self.store = open_store(Path("data/lab.npy"))
        self.normalization = read_normalization(Path("data/normalization.json"))
        self.images = pd.read_csv("data/split/train.csv")["image"].to_numpy()
        generator, discriminator = build_networks(options, image_shape=self.store.shape[1:3])
        self.adversaries = make_adversaries(
            generator,
            discriminator,
            learning_rate=options.learning_rate,
            betas=options.betas,
            keep_average=options.ema_decay > 0,
            device=device,
            precision=precision,
            processes=processes,
        )

    def load(self, state: Path | None) -> None:
        """Go on from the state that the first process names, or from the initial weights."""
        if state := self.processes.agree(state):
            load_state(state, self.adversaries)

    def train_epoch(
        self, epoch: int, learning_rate: float, on_batch: Callable[[int, dict[str, Tensor], float], None]
    ) -> dict[str, float]:
        """Returns the mean losses. `on_batch` gets a step's images, its losses, and the seconds waited for data.

        Raises DivergedError when losses or the state after the epoch are not finite, in all processes alike.
        """
        options = self.options
        set_learning_rate(self.adversaries, learning_rate)
        batches = TrainingBatches(
            self.store,
            self.images,
            self.normalization,
            batch_size=options.batch_size,
            flip=options.flip,
            seed=options.seed,
            epoch=epoch,
            device=self.device,
            processes=self.processes,
        )
        losses = train_epoch(
            self.adversaries,
            batches,
            l1_weight=options.l1_weight,
            colour_weight=options.colour_weight,
            adversarial=epoch > options.l1_epochs,
            ema_decay=options.ema_decay,
            first_step=(epoch - 1) * math.ceil(len(self.images) / options.batch_size),
            on_batch=lambda count, losses: on_batch(count, losses, batches.seconds_waited),
        )
        check_finite(self.adversaries)
        return losses


def assist(processes: Processes, options: Train, device: torch.device) -> None:
    """Be another process than the first, which says what to do."""
    precision = processes.agree()
    if precision is None:  # there is nothing to train
        return
    share_threads(processes.count)
    make_repeatable(device)
    trainer = Trainer(options, device, precision, processes)
    trainer.load(None)
    while order := processes.agree():
        epoch, learning_rate = order
        try:
            trainer.train_epoch(epoch, learning_rate, lambda *_: None)
        except DivergedError:
            return  # the first process says so


def build_networks(options: Train, *, image_shape: tuple[int, int]) -> tuple[Generator, Discriminator]:
    """Both networks with their initial weights, which the seed alone decides."""
    size = min(image_shape)
    halvings = most_halvings(size) if options.generator.halvings == "auto" else options.generator.halvings
    check_halvings(halvings, size, "train.generator.halvings")
    torch.manual_seed(options.seed)
    generator = Generator(**options.generator.model_dump() | {"halvings": halvings})
    chroma_shape = generator.chroma_shape(image_shape)
    check_halvings(options.discriminator.halvings, min(chroma_shape), "train.discriminator.halvings")
    discriminator = Discriminator(**options.discriminator.model_dump(), image_shape=chroma_shape)
    return generator, discriminator
