"""Everything that a training needs, found out once before it starts: device, precision, data, networks."""

import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.core.normalization_file import read_normalization
from colorizer.core.store import open_store
from colorizer.networks.devices import Precision, choose_device, choose_precision, make_repeatable
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.generator import Generator
from colorizer.networks.layers import check_halvings, most_halvings
from colorizer.training.batches import TrainingBatches
from colorizer.training.distributed import Processes, share_threads, started_by_torchrun
from colorizer.training.gan import GAN, Recipe
from settings.params import Train


@dataclass(frozen=True)
class Setup:
    """The section `train` of params.yaml, and what `auto` came to on this machine. The data are opened when needed."""

    options: Train
    device: torch.device
    precision: Precision

    @cached_property
    def store(self) -> NDArray[np.uint8]:
        """Codes of all images, (N, H, W, 3), memory-mapped."""
        return open_store(Path("data/lab.npy"))

    @cached_property
    def normalization(self) -> Normalization:
        return read_normalization(Path("data/normalization.json"))

    @cached_property
    def images(self) -> NDArray[np.int64]:
        """Numbers of the training images in the store."""
        return pd.read_csv("data/split/train.csv")["image"].to_numpy()

    @cached_property
    def validation(self) -> NDArray[np.int64]:
        """Numbers of the validation images in the store; there may be none."""
        return pd.read_csv("data/split/validation.csv")["image"].to_numpy()

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.images) / self.options.batch_size)

    def make_gan(self, processes: Processes) -> GAN:
        """Build both networks with their initial weights, which train.seed alone decides."""
        options = self.options
        height, width = self.store.shape[1:3]
        size = min(height, width)
        halvings = most_halvings(size) if options.generator.halvings == "auto" else options.generator.halvings
        check_halvings(halvings, size, "train.generator.halvings")
        torch.manual_seed(options.seed)
        generator = Generator(**options.generator.model_dump() | {"halvings": halvings})
        chroma_shape = generator.chroma_shape((height, width))
        check_halvings(options.discriminator.halvings, min(chroma_shape), "train.discriminator.halvings")
        discriminator = Discriminator(**options.discriminator.model_dump(), image_shape=chroma_shape)
        recipe = Recipe(
            learning_rate=options.learning_rate,
            betas=options.betas,
            l1_weight=options.l1_weight,
            colour_weight=options.colour_weight,
            ema_decay=options.ema_decay,
        )
        return GAN(generator, discriminator, recipe, device=self.device, precision=self.precision, processes=processes)

    def batches(self, epoch: int, processes: Processes) -> TrainingBatches:
        """The training images of an epoch, or this process's part of each batch."""
        return TrainingBatches(
            self.store,
            self.images,
            self.normalization,
            batch_size=self.options.batch_size,
            flip=self.options.flip,
            seed=self.options.seed,
            epoch=epoch,
            device=self.device,
            processes=processes,
        )


def resolve(options: Train) -> Setup:
    """Choose device and precision, set PyTorch up for them, and check that the processes fit.

    Raises UserError when the device is not there, when train.devices is not what was started, and when some process
    would get no image of a batch.
    """
    device = choose_device(options.device)
    _check_processes(options.devices, device)
    make_repeatable(device)
    share_threads(options.devices)
    setup = Setup(options, device, choose_precision(options.precision, device))
    _check_batches(setup)
    return setup


def _check_processes(devices: int, device: torch.device) -> None:
    started = int(os.environ["WORLD_SIZE"]) if started_by_torchrun() else devices
    if devices != started:
        raise UserError(f"train.devices is {devices}, but torchrun started {started} processes: set it to {started}")
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", devices)), torch.cuda.device_count()
    if device.type == "cuda" and here > gpus:
        raise UserError(f"{here} processes on this machine want a GPU each, but PyTorch finds {gpus}: start fewer")


def _check_batches(setup: Setup) -> None:
    devices = setup.options.devices
    smallest = len(setup.images) % setup.options.batch_size or setup.options.batch_size
    if smallest < devices:
        raise UserError(
            f"train.devices is {devices}, but the last batch of an epoch holds {smallest} images only: "
            "change train.batch_size or split.train"
        )
