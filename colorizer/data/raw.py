"""Reads, checks and writes raw arrays: one .npy file of lightness, any number of .npy files of chroma."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from colorizer.data.npy import as_codes, open_npy
from colorizer.data.raw_files import LIGHTNESS_FILE, SMALLEST_SIDE, find_chroma_files, find_lightness_file

CHUNK_BYTES = 2 * 2**20  # of pixels that a thread works on: they fit into its core's cache
SPREAD_BYTES = 16 * 2**20  # of pixels looked at first


@dataclass(frozen=True)
class Span:
    """A range of images that lie in one chroma batch."""

    start: int  # the first one's number among all images
    batch: int  # the batch's place in `chroma_files`
    row: int  # the first one's place in it
    count: int


@dataclass(frozen=True, kw_only=True)
class RawArrays:
    """Memory-mapped raw arrays that fit together.

    lightness: (N, H, W), chroma: batches (n_i, H, W, 2) with the n_i adding up to N; uint8, or other whole numbers
    or floats that hold codes, 0 to 255. `chroma_files` names the file of each batch.
    """

    lightness: NDArray
    lightness_file: Path
    chroma: tuple[NDArray, ...]
    chroma_files: tuple[Path, ...]

    @property
    def num_images(self) -> int:
        return len(self.lightness)

    @property
    def image_shape(self) -> tuple[int, int]:
        return self.lightness.shape[1], self.lightness.shape[2]

    def spans(self) -> Iterator[Span]:
        """Divide all images, in order, into spans of at most 2 MiB of codes, or of one image if it is larger."""
        images = self._images_in(CHUNK_BYTES)
        start = 0
        for batch, array in enumerate(self.chroma):
            for row in range(0, len(array), images):
                yield Span(start + row, batch, row, min(images, len(array) - row))
            start += len(array)

    def read(self, span: Span) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read codes of lightness (n, H, W) and chroma (n, H, W, 2), contiguous. Floats are rounded to codes.

        Raises UserError where a number is not a code, naming the place.
        """
        lightness = self.lightness[span.start : span.start + span.count]
        chroma = self.chroma[span.batch][span.row : span.row + span.count]
        return (
            as_codes(lightness, self.lightness_file, span.start),
            as_codes(chroma, self.chroma_files[span.batch], span.row),
        )

    def spread(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read 16 MiB of images, evenly spread over all: lightness (n, H, W) and chroma (n, H, W, 2)."""
        starts = np.cumsum([0, *(len(array) for array in self.chroma)])
        lightness, chroma = [], []
        for image in np.unique(np.linspace(0, self.num_images - 1, self._images_in(SPREAD_BYTES)).astype(int)):
            batch = int(np.searchsorted(starts, image, side="right")) - 1
            row = image - starts[batch]
            lightness.append(as_codes(self.lightness[image : image + 1], self.lightness_file, image))
            chroma.append(as_codes(self.chroma[batch][row : row + 1], self.chroma_files[batch], row))
        return np.concatenate(lightness), np.concatenate(chroma)

    def _images_in(self, size: int) -> int:
        height, width = self.image_shape
        return max(1, size // (3 * height * width))


def open_raw(root: Path) -> RawArrays:
    """Open and check the raw arrays under `root` without reading a pixel.

    Raises UserError for a missing, truncated, pickled or foreign file, a wrong dtype or shape, sizes that differ
    between files, counts that do not add up, and no images at all.
    """
    lightness_file, chroma_files = find_lightness_file(root), find_chroma_files(root)
    lightness = open_npy(lightness_file)
    if lightness.ndim == 4 and lightness.shape[3] == 1:
        lightness = lightness[..., 0]
    if lightness.ndim != 3:
        raise UserError(f"{lightness_file} has shape {lightness.shape}: expected (N, H, W) or (N, H, W, 1)")
    chroma = tuple(open_npy(path) for path in chroma_files)
    for path, array in zip(chroma_files, chroma, strict=True):
        if array.ndim != 4 or array.shape[3] != 2:
            raise UserError(f"{path} has shape {array.shape}: expected (N, H, W, 2), the channels A and B")
        if array.shape[1:3] != lightness.shape[1:3]:
            raise UserError(
                f"{path} holds images of {_size(array)} but {lightness_file} of {_size(lightness)}: sizes must agree"
            )
    if min(lightness.shape[1:]) < SMALLEST_SIDE:
        raise UserError(
            f"{lightness_file} holds images of {_size(lightness)}: at least {SMALLEST_SIDE} x {SMALLEST_SIDE}"
        )
    counts = [len(array) for array in chroma]
    if len(lightness) == 0 or sum(counts) == 0:
        raise UserError(
            f"{lightness_file} and its chroma batches hold {len(lightness)} and {sum(counts)} images: nothing to do"
        )
    if sum(counts) != len(lightness):
        listed = " + ".join(f"{path.name} {count}" for path, count in zip(chroma_files, counts, strict=True))
        raise UserError(
            f"{lightness_file} holds {len(lightness)} images but the chroma batches {sum(counts)} ({listed}): "
            f"counts must be equal; is a batch missing or cut short?{_no_batches(root, chroma_files)}"
        )
    return RawArrays(
        lightness=lightness, lightness_file=lightness_file, chroma=chroma, chroma_files=tuple(chroma_files)
    )


def _no_batches(root: Path, chroma_files: Sequence[Path]) -> str:
    names = sorted(path.name for path in root.glob("ab/**/*.npy") if path not in chroma_files)
    return f" {', '.join(names)} in {root / 'ab'} are not named like batches" if names else ""


def _size(array: NDArray) -> str:
    return f"{array.shape[1]} x {array.shape[2]}"


def write_raw(root: Path, codes: NDArray) -> None:
    """Write codes (N, H, W, 3) as raw arrays: L in one file, AB in three files of 2/5, 2/5 and 1/5 of the images."""
    batches = np.split(codes[..., 1:], [len(codes) * 2 // 5, len(codes) * 4 // 5])
    arrays = {LIGHTNESS_FILE: codes[..., 0]} | {f"ab/ab{k}.npy": batch for k, batch in enumerate(batches, start=1)}
    for name, array in arrays.items():
        with atomic_write(root / name) as partial:
            np.save(partial, np.ascontiguousarray(array), allow_pickle=False)
