"""The pixel store: one uint8 .npy file (N, H, W, 3) of L, A, B codes, written once, memory-mapped after.

Features of the images are kept the same way, as float16 (rows, D).
"""

import csv
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write

_FLUSH_BYTES = 32 * 2**20


def write_store(path: Path, chunks: Iterable[NDArray], shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> None:
    """Write chunks (n, ...) of this dtype to a .npy file of `shape`, one at a time; `path` appears only when whole.

    Raises UserError when the disk is too small, before the first byte is written or when it fills up meanwhile.
    """
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise UserError(
            f"{path} needs {needed / 1e9:.2f} GB but only {free / 1e9:.2f} GB are free on its disk: make room"
        )
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with atomic_write(path) as partial, partial.open("xb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        written = flushed = 0
        for chunk in chunks:
            file.write(np.ascontiguousarray(chunk, dtype).data)
            written += chunk.size * np.dtype(dtype).itemsize
            if written - flushed >= _FLUSH_BYTES:
                _begin_to_flush(file, flushed, written - flushed)
                flushed = written
        assert written == needed, (written, needed)


def _begin_to_flush(file: BinaryIO, start: int, size: int) -> None:
    """Have the disk begin with what was written, instead of at the end. Pages on their way to it stay in memory."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), start, size, os.POSIX_FADV_DONTNEED)


def interleave(lightness: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Join L (n, H, W) and A, B (n, H, W, 2) to codes (n, H, W, 3)."""
    n, height, width = lightness.shape
    planes = [lightness.reshape(n * height, width), *split_channels(chroma.reshape(n * height, width, 2))]
    codes = np.asarray(cv2.merge(planes), np.uint8)  # several times as fast as numpy.concatenate
    return codes.reshape(n, height, width, 3)


def split_channels(codes: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Copy each channel of codes (H, W, C) to an array (H, W) of its own."""
    height, width, channels = codes.shape
    planes = list(np.empty((channels, height, width), np.uint8))
    cv2.split(codes, planes)  # without arrays to write to, OpenCV for Python copies each channel twice
    return planes


def open_store(path: Path) -> NDArray[np.uint8]:
    """Memory-map a store read-only: (N, H, W, 3) uint8 codes. Raises UserError when it is missing."""
    if not path.is_file():
        raise UserError(f"{path} is missing: run `dvc repro concatenate`")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def read_image_numbers(path: Path) -> NDArray[np.int64]:
    """Read numbers of images in the store, (N,), from the column `image` of a CSV file; there may be none.

    Raises UserError when the file is missing or is no such table.
    """
    return np.array(_read_column(path, "image", int), np.int64)


def read_content_hashes(path: Path) -> NDArray[np.uint64]:
    """Read the hashes of the contents of images, (N,), from the column `content_hash` of such a file."""
    return np.array(_read_column(path, "content_hash", lambda digits: int(digits, 16)), np.uint64)


def _read_column(path: Path, name: str, number: Callable[[str], int]) -> list[int]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if name not in (rows.fieldnames or []):
                raise ValueError
            return [number(row[name]) for row in rows]
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: run `dvc repro split`") from error
    except (ValueError, TypeError, csv.Error) as error:
        what = "image numbers" if name == "image" else "hashes of images"
        raise UserError(f"{path} is not a table with {what} in a column `{name}`") from error


def iterate_store(store: NDArray[np.uint8], chunk_bytes: int = 4 * 2**20) -> Iterator[NDArray[np.uint8]]:
    """Yield the images in order as chunks (n, H, W, 3) uint8 of at most `chunk_bytes`, or one image if it is larger."""
    rows = max(1, chunk_bytes // int(np.prod(store.shape[1:])))
    for start in range(0, len(store), rows):
        yield store[start : start + rows]
