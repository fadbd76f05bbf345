"""Writes the folder of an import: streams images into raw arrays, and puts all files in place at once or none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count, islice
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.files import refusal
from colorizer.data.raw_files import CHROMA_PATTERN, LIGHTNESS_FILE

TABLE_FILE = "photographs.csv"
BATCH_IMAGES = 10_000  # per chroma file; the lightness is in one file

_ARRAYS_AND_TABLE = ("l", "ab", TABLE_FILE)
_GITIGNORE = ("# The arrays are versioned with `dvc add`, not with git.", "/l", "/ab")


def check_free(out: Path, *, force: bool) -> None:
    """Raise UserError when `out` holds arrays; with `force` only when no import made them."""
    there = [name for name in _ARRAYS_AND_TABLE if os.path.lexists(out / name)]
    if there and not force:
        raise UserError(f"{out} already holds {', '.join(there)}: choose another folder, or --force to replace them")
    if there and not _is_from_import(out):
        raise UserError(f"{out} holds {', '.join(there)} that no import made: choose another folder")


def _is_from_import(out: Path) -> bool:
    inside = {path.name for name in ("l", "ab") for path in (out / name).glob("*")}
    known = all(name == Path(LIGHTNESS_FILE).name or CHROMA_PATTERN.fullmatch(name) for name in inside)
    return known and (out / TABLE_FILE).is_file()


def write_arrays(folder: Path, images: Iterator[NDArray[np.uint8]], size: int) -> None:
    """Write images, codes (size, size, 3), one at a time to raw arrays in `folder`; their number need not be known."""
    with _npy_file(folder / LIGHTNESS_FILE, (size, size)) as lightness:
        for batch in count(1):
            first = next(images, None)
            if first is None:
                break
            with _npy_file(folder / f"ab/ab{batch}.npy", (size, size, 2)) as chroma:
                for codes in chain([first], islice(images, BATCH_IMAGES - 1)):
                    lightness.write(codes[..., 0].tobytes())
                    chroma.write(codes[..., 1:].tobytes())


@contextmanager
def _npy_file(path: Path, image_shape: tuple[int, ...]) -> Iterator[BinaryIO]:
    """A .npy file of uint8 to write images to; how many they are is filled in at the end."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        _write_header(file, (0, *image_shape))
        start = file.tell()
        yield file
        num_images = (file.tell() - start) // prod(image_shape)
        file.seek(0)
        _write_header(file, (num_images, *image_shape))
        assert file.tell() == start  # NumPy leaves room for the first axis to grow
        file.flush()
        os.fsync(file.fileno())


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


@contextmanager
def all_or_nothing(out: Path) -> Iterator[Path]:
    """Fill `out` atomically: yields a folder whose arrays and table move to `out` at the end of the block.

    After an error nothing is left of it, nor of `out` if that was not there before.
    """
    folder = out / ".import.partial"
    made = [parent for parent in (out, *out.parents) if not os.path.lexists(parent)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            shutil.rmtree(folder)  # of an import that was killed
        folder.mkdir()
    except OSError as error:
        raise UserError(f"{out} cannot be written to: {(error.strerror or '').lower()}") from error
    try:
        yield folder
        ignored = _gitignore(out / ".gitignore")
        (folder / ".gitignore").write_text(ignored, encoding="utf-8", errors="surrogateescape", newline="\n")
        _exchange(folder, out)
        made = []
    except OSError as error:
        if reason := refusal(error):
            raise UserError(f"{out}: {reason}, nothing was overwritten") from error
        raise
    finally:
        shutil.rmtree(folder)
        for parent in made:
            parent.rmdir()


def _gitignore(path: Path) -> str:
    """Return the text of the file with the missing lines added."""
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines() if path.exists() else []
    return "".join(f"{line}\n" for line in [*lines, *(line for line in _GITIGNORE if line not in lines)])


def _exchange(folder: Path, out: Path) -> None:
    """Move all from `folder` to `out`, and what that replaces to `folder`/replaced; after an error, move it back."""
    replaced = folder / "replaced"
    replaced.mkdir()
    names = (*_ARRAYS_AND_TABLE, ".gitignore")
    try:
        for name in names:
            if os.path.lexists(out / name):
                (out / name).rename(replaced / name)
            (folder / name).rename(out / name)
    except BaseException:
        for name in names:
            if not os.path.lexists(folder / name) and os.path.lexists(out / name):
                (out / name).rename(folder / name)
            if os.path.lexists(replaced / name):
                (replaced / name).rename(out / name)
        raise
