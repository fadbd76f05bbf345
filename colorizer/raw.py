"""The raw arrays as people download them: one lightness file, any number of chroma batches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorizer.errors import UserError

LIGHTNESS_FILE = "l/gray_scale.npy"
CHROMA_PATTERN = re.compile(r"ab(\d+)\.npy")
CHUNK_BYTES = 16 * 2**20  # of pixels held at once while streaming


@dataclass(frozen=True, kw_only=True)
class RawArrays:
    """Memory-mapped raw arrays that fit together.

    lightness: (N, H, W), chroma: batches (n_i, H, W, 2) with the n_i adding up to N; uint8, or float holding
    codes in [0, 255]. `chroma_files` names the file of each batch.
    """

    lightness: NDArray
    chroma: tuple[NDArray, ...]
    chroma_files: tuple[Path, ...]

    @property
    def num_images(self) -> int:
        return len(self.lightness)

    @property
    def image_shape(self) -> tuple[int, int]:
        return self.lightness.shape[1], self.lightness.shape[2]

    def chunks(self) -> Iterator[tuple[int, int, NDArray[np.uint8], NDArray[np.uint8]]]:
        """Yield (batch, offset, lightness (n, H, W), chroma (n, H, W, 2)) in order, contiguous, at most 16 MiB at once.

        `batch` indexes `chroma_files`, `offset` is the chunk's first row in it. Floats are rounded to codes.
        Raises UserError where a float is not a code, naming the image.
        """
        height, width = self.image_shape
        rows = max(1, CHUNK_BYTES // (3 * height * width))
        start = 0
        for batch, array in enumerate(self.chroma):
            for offset in range(0, len(array), rows):
                chroma = array[offset : offset + rows]
                lightness = self.lightness[start + offset : start + offset + len(chroma)]
                yield (
                    batch,
                    offset,
                    _as_codes(lightness, LIGHTNESS_FILE, start + offset),
                    _as_codes(chroma, f"ab/{self.chroma_files[batch].name}", offset),
                )
            start += len(array)


def find_chroma_files(root: Path) -> list[Path]:
    """The abK.npy files under root/ab, or root/ab/ab as the public archive nests them, in natural order.

    Raises UserError when there is none.
    """
    for folder in (root / "ab", root / "ab" / "ab"):
        found = {
            int(match[1]): path for path in folder.glob("ab*.npy") if (match := CHROMA_PATTERN.fullmatch(path.name))
        }
        if found:
            return [found[number] for number in sorted(found)]
    raise UserError(
        f"{root / 'ab'} holds no ab1.npy: put the chroma batches ab1.npy, ab2.npy, ... there, "
        "or set data.root in params.yaml to the folder that holds l/ and ab/ (data/sample is the built-in sample)"
    )


def find_lightness_file(root: Path) -> Path:
    """root/l/gray_scale.npy; raises UserError when it is missing."""
    path = root / LIGHTNESS_FILE
    if not path.is_file():
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
    return RawArrays(lightness=lightness, chroma=chroma, chroma_files=tuple(chroma_files))


def _open_npy(path: Path) -> NDArray:
    """Memory-map a .npy file after checking its header against its length. Nothing is ever unpickled."""
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
        except ValueError as error:
            raise UserError(f"{path} is not a .npy file ({error}): export it again with numpy.save") from error
        if dtype.hasobject:
            raise UserError(f"{path} holds pickled Python objects, which are never loaded: save a plain uint8 array")
        expected = file.tell() + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if dtype not in (np.uint8, np.float32, np.float64):
        raise UserError(f"{path} has dtype {dtype}: expected uint8 codes (or float32/float64 holding codes 0 to 255)")
    actual = path.stat().st_size
    if actual < expected:
        raise UserError(
            f"{path} is truncated: {actual} bytes, but its header promises {expected}; copy or download it again"
        )
    if 0 in shape:
        return np.empty(shape, dtype)  # an empty file cannot be mapped
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _as_codes(array: NDArray, name: str, first_row: int) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    for row, image in enumerate(array, start=first_row):
        low, high = image.min(), image.max()
        if not (low >= 0 and high <= 255):  # also catches NaN
            raise UserError(
                f"{name}: image {row} has values from {low:g} to {high:g}: expected 8-bit codes, 0 to 255 without NaN"
            )
    return np.rint(array).astype(np.uint8)


def _size(array: NDArray) -> str:
    return f"{array.shape[1]} x {array.shape[2]}"
