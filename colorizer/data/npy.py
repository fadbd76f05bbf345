"""Reads .npy files of codes, whatever tool saved them and in whatever type of numbers."""

import math
import tokenize
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError

_WHOLE_AND_FLOAT = "iuf"  # kinds of numbers
_TOLERANCE = 0.01  # of floats that hold codes


def open_npy(path: Path) -> NDArray:
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
    if dtype.kind not in _WHOLE_AND_FLOAT:
        raise UserError(
            f"{path} has dtype {dtype}: expected uint8 codes, L* x 255/100, a* + 128, b* + 128 "
            "(or another type of whole numbers or floats that holds such codes)"
        )
    actual, expected = path.stat().st_size, start + math.prod(shape) * dtype.itemsize
    if actual < expected:
        raise UserError(
            f"{path} is truncated: {actual} bytes, but its header promises {expected}; copy or download it again"
        )
    if actual > expected:
        raise UserError(
            f"{path} goes on behind the end of its array: {actual} bytes, but its header promises {expected}; save "
            "each array to a file of its own with numpy.save"
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


def as_codes(array: NDArray, path: Path, first_image: int) -> NDArray[np.uint8]:
    """Turn images (n, H, W) or (n, H, W, 2) of the file `path`, from `first_image` on, into contiguous uint8 codes.

    Raises UserError when one of the numbers is no code, naming the place of the first one.
    """
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.min() >= 0 and array.max() <= 255:  # False for NaN
        if array.dtype.kind != "f":
            return np.ascontiguousarray(array.astype(np.uint8))
        codes = np.rint(array)
        if np.abs(array - codes).max() <= _TOLERANCE:
            return np.ascontiguousarray(codes.astype(np.uint8))
    _refuse(array, path, first_image)


def _refuse(array: NDArray, path: Path, first_image: int) -> NoReturn:
    with np.errstate(invalid="ignore"):  # infinity less infinity
        good = (array >= 0) & (array <= 255) & (np.abs(array - np.rint(array)) <= _TOLERANCE)  # False for NaN
    image, row, column, *_ = place = np.unravel_index(np.argmin(good), good.shape)
    raise UserError(
        f"{path}: image {first_image + image} has values that are no 8-bit codes, the first one {array[place]:g} "
        f"at row {row}, column {column}: expected whole numbers from 0 to 255 (L* x 255/100, a* + 128, b* + 128)"
    )
