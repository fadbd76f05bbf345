"""Everything that a training needs, found out once before it starts: device, precision, data, networks."""

import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.core.normalization_file import read_normalization
from colorizer.core.store import open_store, read_image_numbers
from colorizer.networks.devices import Precision, choose_device, choose_precision, make_deterministic
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.generator import Generator
from colorizer.networks.layers import check_num_downs, max_num_downs
from colorizer.training.batches import TrainingBatches
from colorizer.training.distributed import ProcessGroup, is_rank, share_threads
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
        return read_image_numbers(Path("data/split/train.csv"))

    @cached_property
    def validation(self) -> NDArray[np.int64]:
        """Numbers of the validation images in the store; there may be none."""
        return read_image_numbers(Path("data/split/validation.csv"))

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.images) / self.options.batch_size)

    def make_gan(self, group: ProcessGroup) -> GAN:
        """Build both networks with their initial weights, which train.seed alone decides."""
        options = self.options
        height, width = self.store.shape[1:3]
        size = min(height, width)
        num_downs = max_num_downs(size) if options.generator.num_downs == "auto" else options.generator.num_downs
        check_num_downs(num_downs, size, "train.generator.num_downs")
        torch.manual_seed(options.seed)
        generator = Generator(**options.generator.model_dump() | {"num_downs": num_downs})
        chroma_shape = generator.chroma_shape((height, width))
        check_num_downs(options.discriminator.num_downs, min(chroma_shape), "train.discriminator.num_downs")
        discriminator = Discriminator(**options.discriminator.model_dump(), image_shape=chroma_shape)
        recipe = Recipe(
            learning_rate=options.learning_rate,
            betas=options.betas,
            l1_weight=options.l1_weight,
            swd_weight=options.swd_weight,
            ema_decay=options.ema_decay,
        )
        return GAN(generator, discriminator, recipe, device=self.device, precision=self.precision, group=group)

    def batches(self, epoch: int, group: ProcessGroup) -> TrainingBatches:
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
            group=group,
        )


def resolve(options: Train) -> Setup:
    """Choose device and precision, set PyTorch up for them, and check that the processes fit.

    Raises UserError when the device is not there, when train.num_processes is not what was started, and when some
    process would get no image of a batch.
    """
    device = choose_device(options.device)
    _check_processes(options.num_processes, device)
    make_deterministic(device)
    share_threads(options.num_processes)
    setup = Setup(options, device, choose_precision(options.precision, device))
    _check_batches(setup)
    return setup


def _check_processes(devices: int, device: torch.device) -> None:
    started = int(os.environ["WORLD_SIZE"]) if is_rank() else devices
    if devices != started:
        raise UserError(
            f"train.num_processes is {devices}, but torchrun started {started} processes: set it to {started}"
        )
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", devices)), torch.cuda.device_count()
    if device.type == "cuda" and here > gpus:
        raise UserError(f"{here} processes on this machine want a GPU each, but PyTorch finds {gpus}: start fewer")


def _check_batches(setup: Setup) -> None:
    devices = setup.options.num_processes
    smallest = len(setup.images) % setup.options.batch_size or setup.options.batch_size
    if smallest < devices:
        raise UserError(
            f"train.num_processes is {devices}, but the last batch of an epoch holds {smallest} images only: "
            "change train.batch_size or split.train"
        )
