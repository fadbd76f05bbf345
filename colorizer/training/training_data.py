"""The images that a training learns from and is validated with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorizer.core.lab import Normalization
from colorizer.core.normalization_file import read_normalization
from colorizer.core.store import open_store, read_content_hashes, read_image_numbers
from colorizer.training.batches import TrainingBatches
from colorizer.training.distributed import ProcessGroup
from colorizer.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Codes of all images (N, H, W, 3) uint8, memory-mapped, and the numbers of those that train and that validate.

    `content_hashes` (N,) are those of the training images. `encoded` are their features, as `open_encoded` returns
    them.
    """

    store: NDArray[np.uint8]
    normalization: Normalization
    images: NDArray[np.int64]
    validation: NDArray[np.int64]
    content_hashes: NDArray[np.uint64]
    encoded: NDArray[np.float16] | None = None

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.store.shape[1], self.store.shape[2]

    def batches(self, recipe: Recipe, epoch: int, device: torch.device, group: ProcessGroup) -> TrainingBatches:
        """The training images of an epoch, or this rank's part of each batch."""
        return TrainingBatches(
            self.store,
            self.images,
            self.normalization,
            batch_size=recipe.batch_size,
            flip=recipe.flip,
            seed=recipe.seed,
            epoch=epoch,
            device=device,
            group=group,
            encoded=self.encoded,
            hints=recipe.hints,
        )


def open_training_data(store: Path, normalization: Path, images: Path, validation: Path) -> TrainingData:
    """Open the store, and read the tables with the numbers of the images. Raises UserError when a file is missing."""
    return TrainingData(
        store=open_store(store),
        normalization=read_normalization(normalization),
        images=read_image_numbers(images),
        validation=read_image_numbers(validation),
        content_hashes=read_content_hashes(images),
    )
