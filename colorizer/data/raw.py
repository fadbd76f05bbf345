"""Reads, checks and writes raw arrays: one .npy file of lightness, any number of .npy files of chroma."""

import math
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write

LIGHTNESS_FILE = "l/gray_scale.npy"
CHROMA_PATTERN = re.compile(r"ab(\d+)\.npy")
SMALLEST_SIDE = 4  # pixels: halved once, 2 are left for batch normalisation
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

    lightness: (N, H, W), chroma: batches (n_i, H, W, 2) with the n_i adding up to N; uint8, or float holding
    codes in [0, 255]. `chroma_files` names the file of each batch.
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

        Raises UserError where a float is not a code, naming the image.
        """
        lightness = self.lightness[span.start : span.start + span.count]
        chroma = self.chroma[span.batch][span.row : span.row + span.count]
        return (
            _as_codes(lightness, self.lightness_file, span.start),
            _as_codes(chroma, self.chroma_files[span.batch], span.row),
        )

    def spread(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read 16 MiB of images, evenly spread over all: lightness (n, H, W) and chroma (n, H, W, 2)."""
        starts = np.cumsum([0, *(len(array) for array in self.chroma)])
        lightness, chroma = [], []
        for image in np.unique(np.linspace(0, self.num_images - 1, self._images_in(SPREAD_BYTES)).astype(int)):
            batch = int(np.searchsorted(starts, image, side="right")) - 1
            row = image - starts[batch]
            lightness.append(_as_codes(self.lightness[image : image + 1], self.lightness_file, image))
            chroma.append(_as_codes(self.chroma[batch][row : row + 1], self.chroma_files[batch], row))
        return np.concatenate(lightness), np.concatenate(chroma)

    def _images_in(self, size: int) -> int:
        height, width = self.image_shape
        return max(1, size // (3 * height * width))


def find_chroma_files(root: Path) -> list[Path]:
    """List the abK.npy files under root/ab, or root/ab/ab as in the public archive, by their numbers.

    Raises UserError when there is none.
    """
    found: dict[int, Path] = {}
    for path in [*root.glob("ab/*.npy"), *root.glob("ab/ab/*.npy")]:
        if match := CHROMA_PATTERN.fullmatch(path.name):
            number = int(match[1])
            if number in found:
                raise UserError(f"{path} and {found[number]} are both batch {number}: remove one of them")
            found[number] = path
    if found:
        return [found[number] for number in sorted(found)]
    raise UserError(
        f"{root / 'ab'} holds no ab1.npy: put the chroma batches ab1.npy, ab2.npy, ... there, "
        "or set data.root in params.yaml to the folder that holds l/ and ab/ (data/sample is the built-in sample)"
    )


def find_lightness_file(root: Path) -> Path:
    """Return the path root/l/gray_scale.npy; raises UserError when it is missing."""
    path = root / LIGHTNESS_FILE
    if not path.exists():
        raise UserError(
            f"{path} is missing: put the greyscale images there, "
            "or set data.root in params.yaml to the folder that holds l/ and ab/ (data/sample is the built-in sample)"
        )
    return path


def open_raw(root: Path) -> RawArrays:
    """Open and check the raw arrays under `root` without reading a pixel.

    Raises UserError for a missing, truncated, pickled or foreign file, a wrong dtype or shape, sizes that differ
    between files, counts that do not add up, and no images at all.
    """
    lightness_file, chroma_files = find_lightness_file(root), find_chroma_files(root)
    lightness = _open_npy(lightness_file)
    if lightness.ndim == 4 and lightness.shape[3] == 1:
        lightness = lightness[..., 0]
    if lightness.ndim != 3:
        raise UserError(f"{lightness_file} has shape {lightness.shape}: expected (N, H, W) or (N, H, W, 1)")
    chroma = tuple(_open_npy(path) for path in chroma_files)
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
            "counts must be equal; is a batch missing or cut short?"
        )
    return RawArrays(
        lightness=lightness, lightness_file=lightness_file, chroma=chroma, chroma_files=tuple(chroma_files)
    )


def _open_npy(path: Path) -> NDArray:
    """Memory-map a .npy file after checking its header against its length. Nothing is ever unpickled."""
    try:
        with path.open("rb") as file:
            shape, dtype = _read_header(file)
            start = file.tell()
    except (OSError, ValueError, tokenize.TokenError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read as a .npy file ({reason}): export it again with numpy.save") from error
    if dtype.hasobject:
        raise UserError(f"{path} holds pickled Python objects, which are never loaded: save a plain uint8 array")
    if dtype not in (np.uint8, np.float32, np.float64):
        raise UserError(
            f"{path} has dtype {dtype}: expected uint8 codes, L* x 255/100, a* + 128, b* + 128 "
            "(or float32/float64 holding such codes)"
        )
    actual, expected = path.stat().st_size, start + math.prod(shape) * dtype.itemsize
    if actual < expected:
        raise UserError(
            f"{path} is truncated: {actual} bytes, but its header promises {expected}; copy or download it again"
        )
    if 0 in shape:
        return np.empty(shape, dtype)  # an empty file cannot be mapped
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version in ((2, 0), (3, 0)):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"format version {version[0]}.{version[1]} is unknown")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"shape {shape} is impossible")
    return shape, dtype


def _as_codes(array: NDArray, path: Path, first_row: int) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    for row, image in enumerate(array, start=first_row):
        low, high = image.min(), image.max()
        if not (low >= 0 and high <= 255):  # also catches NaN
            raise UserError(
                f"{path}: image {row} has values from {low:g} to {high:g}: expected 8-bit codes, 0 to 255 without NaN "
                "(L* x 255/100, a* + 128, b* + 128)"
            )
        if np.abs(image - np.rint(image)).max() > 0.01:
            raise UserError(
                f"{path}: image {row} has fractions: expected 8-bit codes; store L* x 255/100, a* + 128, b* + 128, "
                "rounded"
            )
    return np.rint(array).astype(np.uint8)


def _size(array: NDArray) -> str:
    return f"{array.shape[1]} x {array.shape[2]}"


def write_raw(root: Path, codes: NDArray) -> None:
    """Write codes (N, H, W, 3) as raw arrays: L in one file, AB in three files of 2/5, 2/5 and 1/5 of the images."""
    batches = np.split(codes[..., 1:], [len(codes) * 2 // 5, len(codes) * 4 // 5])
    arrays = {LIGHTNESS_FILE: codes[..., 0]} | {f"ab/ab{k}.npy": batch for k, batch in enumerate(batches, start=1)}
    for name, array in arrays.items():
        with atomic_write(root / name) as partial:
            np.save(partial, np.ascontiguousarray(array), allow_pickle=False)
