"""The training images, batch by batch."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorizer.core.hints import HintSampling
from colorizer.core.lab import Normalization
from colorizer.networks.layers import normalized_hints
from colorizer.training.distributed import SINGLE, ProcessGroup


class Batch(NamedTuple):
    """Lightness (n, 1, H, W) and true chroma (n, 2, H, W), float32 in [-1, 1], both channels last.

    `num_images` is that of the whole batch, of which this process may have a part only. `encoded` (n, D) is what a
    frozen encoder made of the lightness, if that is known. `hints` are `normalized_hints` (n, 3, H, W), for generators
    that take them.
    """

    lightness: Tensor
    chroma: Tensor
    num_images: int
    encoded: Tensor | None = None
    hints: Tensor | None = None


class TrainingBatches:
    """Iterates over the training images of one epoch in batches: each image once, shuffled by (seed, epoch).

    Batches are read one ahead in a thread. With `flip`, a random half of the images, on average, is mirrored left to
    right, also by (seed, epoch). Each rank gets its part of every batch. `encoded` are the features of `images` and of
    the same mirrored, as `open_encoded` returns them. With `hints`, each image shows some of its colours; seed, epoch
    and its place in the order decide which. `seconds_waited` is how long the iteration waited for reads.
    """

    def __init__(
        self,
        store: NDArray[np.uint8],
        images: NDArray[np.int64],
        normalization: Normalization,
        *,
        batch_size: int,
        flip: bool,
        seed: int,
        epoch: int,
        device: torch.device,
        group: ProcessGroup = SINGLE,
        encoded: NDArray[np.float16] | None = None,
        hints: HintSampling | None = None,
    ) -> None:
        random = np.random.Generator(np.random.Philox(key=[seed, epoch]))
        self._order = random.permutation(len(images))
        self._mirrored = random.random(len(images)) < 0.5 if flip else np.zeros(len(images), bool)
        self._store, self._images, self._encoded = store, images, encoded
        self._normalization, self._batch_size = normalization, batch_size
        self._device, self._group = device, group
        self._hints, self._key = hints, [seed, epoch]
        self.seconds_waited = 0.0

    def __iter__(self) -> Iterator[Batch]:
        starts = range(0, len(self._order), self._batch_size)
        with ThreadPoolExecutor(1, thread_name_prefix="read-images") as reader:
            upcoming = reader.submit(self._read, 0)
            for start in starts:
                asked = time.perf_counter()
                codes, encoded, hints = upcoming.result()
                self.seconds_waited += time.perf_counter() - asked
                if start + self._batch_size < len(self._order):
                    upcoming = reader.submit(self._read, start + self._batch_size)
                num_images = min(self._batch_size, len(self._order) - start)
                batch = to_batch(codes, self._normalization, self._device, num_images)
                if encoded is not None:
                    batch = batch._replace(encoded=encoded.to(self._device, non_blocking=True).float())
                if hints is not None:
                    planes = hints.to(self._device, non_blocking=True).permute(0, 3, 1, 2).float()
                    batch = batch._replace(hints=normalized_hints(planes, self._normalization))
                yield batch

    def _read(self, start: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Read this process's part of the batch from `start` on.

        Codes (n, H, W, 3) uint8, features (n, D) float16, hints (n, H, W, 3) uint8.
        """
        part = slice(start + self._group.rank, start + self._batch_size, self._group.world_size)
        rows, mirrored = self._order[part], self._mirrored[part]
        codes = self._store[self._images[rows]]
        codes[mirrored] = codes[mirrored, :, ::-1]
        encoded = hints = None
        if self._encoded is not None:
            encoded = self._pinned(self._encoded[rows + mirrored * len(self._images)])
        if self._hints is not None:
            places = range(len(self._order))[part]
            drawn = [self._hints.draw(image, self._random(place)) for image, place in zip(codes, places, strict=True)]
            hints = self._pinned(np.stack(drawn))
        return self._pinned(codes), encoded, hints

    def _random(self, place: int) -> np.random.Generator:
        """The random numbers of the image at this place in the order, which none before it use."""
        return np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, 1 + place, 0]))

    def _pinned(self, values: NDArray) -> Tensor:
        read = torch.from_numpy(values)
        return read.pin_memory() if self._device.type == "cuda" else read  # copied while the GPU computes


def to_batch(
    codes: NDArray[np.uint8] | Tensor, normalization: Normalization, device: torch.device, num_images: int | None = None
) -> Batch:
    """Move codes (n, H, W, 3) uint8 to the device and normalise them to a batch in channels-last memory format.

    Convolutions are fastest in this format. `num_images` is the size of the whole batch, if the codes are only this
    rank's part of it.
    """
    planes = torch.as_tensor(codes).to(device, non_blocking=True).permute(0, 3, 1, 2)  # floats stay on the device
    lightness, chroma = normalization.lightness(planes[:, :1].float()), normalization.chroma(planes[:, 1:].float())
    return Batch(lightness, chroma, num_images or len(codes))
