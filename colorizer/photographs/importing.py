"""Imports photographs as training data: squares of one size, as raw arrays that `data.root` accepts."""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorizer.core.errors import UserError, printable, within_memory
from colorizer.core.lab import mean_chroma, rgb_to_codes
from colorizer.data.parallel import ordered_map
from colorizer.data.raw_files import SMALLEST_SIDE
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.imported_folder import TABLE_FILE, all_or_nothing, check_free, write_arrays
from colorizer.photographs.photographs import Photograph

Fit = Literal["crop", "whole"]
Reason = Literal["unreadable", "too small", "near-grey", "duplicate"]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The result of an import: how many photographs became images, and how many were skipped, by reason."""

    num_images: int
    skipped: dict[Reason, int]


@dataclass(frozen=True)
class _Skipped:
    reason: Reason
    details: str


_Prepared = NDArray[np.uint8] | _Skipped  # codes (size, size, 3), or why there are none


def import_photographs(
    found: Sequence[tuple[Path, Path]],
    out: Path,
    *,
    size: int,
    fit: Fit,
    min_chroma: float,
    force: bool,
    workers: int,
    on_photographs: Callable[[int], None],
) -> Imported:
    """Convert photographs to square images and write them as raw arrays, with a table of what became of each.

    `found` is from `find_photographs`. Written are `out`/l, `out`/ab, `out`/photographs.csv and `out`/.gitignore.

    Images are `size` pixels square: with "crop" the middle of the photograph; with "whole" all of it, the rest of the
    square being its mirror image, as a model would learn a plain border. Transparency is laid over white, as viewers
    show it. The table has a row for every photograph, in order: `image` (its number from 0, or empty), `file` and
    `skipped` (why, or empty). Skipped are unreadable photographs, those with too few pixels for the square, those whose
    mean distance from grey in the a*, b* plane is below `min_chroma`, and those that give an earlier image again.

    `workers` threads decode; the files are the same bytes with any number. Of each image only a digest stays in memory.
    `on_photographs` is told how many more are done. Raises UserError when `size` is too small, when `out` holds arrays
    and `force` is not set, when it cannot be written to, when there is too little memory, and when no image is left.
    Everything is put in place at the end, so that a failure leaves `out` as it was.
    """
    if size < SMALLEST_SIDE:
        raise UserError(f"images of {size} x {size} pixels are too small: at least {SMALLEST_SIDE} x {SMALLEST_SIDE}")
    if not 0 <= min_chroma < 128:
        raise UserError(f"a smallest mean chroma of {min_chroma:g} is not between 0 and 128")
    check_free(out, force=force)
    skipped: Counter[Reason] = Counter()
    with all_or_nothing(out) as folder:
        prepare = partial(_prepare, size=size, fit=fit, min_chroma=min_chroma)
        with (
            (folder / TABLE_FILE).open("w", encoding="utf-8", errors="surrogateescape", newline="") as table,
            closing(ordered_map(prepare, found, workers)) as prepared,
        ):
            images = _without_skipped(prepared, csv.writer(table, lineterminator="\n"), skipped, on_photographs)
            write_arrays(folder, images, size)
        num_images = len(found) - skipped.total()
        by_reason = {reason: skipped[reason] for reason in get_args(Reason) if skipped[reason]}
        if num_images == 0:
            listed = ", ".join(f"{number} {reason}" for reason, number in by_reason.items())
            with (folder / TABLE_FILE).open(encoding="utf-8", errors="surrogateescape", newline="") as table:
                first = next(csv.DictReader(table))
            raise UserError(
                f"no image is left of {len(found)} photographs ({listed}): nothing was written; "
                f"the first, {first['file']}, is {first['skipped']}"
            )
    return Imported(num_images=num_images, skipped=by_reason)


def _prepare(photograph: tuple[Path, Path], *, size: int, fit: Fit, min_chroma: float) -> tuple[Path, _Prepared]:
    """The relative path of a photograph, and what was prepared of it."""
    path, relative = photograph
    with within_memory("close other programs, or leave the photograph out", path):  # not skipped: it may fit next time
        return relative, _codes_or_skipped(path, size, fit, min_chroma)


def _codes_or_skipped(path: Path, size: int, fit: Fit, min_chroma: float) -> _Prepared:
    try:
        photograph = read_photograph(path, at_least=2 * size)  # in twice the size, the resizing decides on the quality
    except UserError as error:
        return _Skipped("unreadable", str(error).removeprefix(printable(f"{path} ")).removeprefix("is "))
    height, width = photograph.size
    if (min(height, width) if fit == "crop" else max(height, width)) < size:
        return _Skipped("too small", f"{width} x {height} pixels")
    if photograph.pixels.ndim == 2 and min_chroma > 0:
        return _Skipped("near-grey", "no colours")
    codes = rgb_to_codes(_square(photograph, size, fit))
    chroma = mean_chroma(codes)
    return codes if chroma >= min_chroma else _Skipped("near-grey", f"mean chroma {chroma:.2f}")


def _square(photograph: Photograph, size: int, fit: Fit) -> NDArray[np.uint8]:
    """Make a photograph square, with white under transparent parts: RGB (size, size, 3)."""
    rgb, alpha = photograph.rgb, photograph.alpha
    if fit == "crop":
        side = min(photograph.size)
        top, left = ((length - side) // 2 for length in photograph.size)
        middle = slice(top, top + side), slice(left, left + side)
        rgb, alpha = rgb[middle], None if alpha is None else alpha[middle]
    image = Image.fromarray(rgb)
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), Image.fromarray(alpha))
    width, height = (max(1, round(length * size / max(image.size))) for length in image.size)
    inner = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))  # fixed point: same bytes everywhere
    top, left = (size - height) // 2, (size - width) // 2
    border = top, size - height - top, left, size - width - left
    return cv2.copyMakeBorder(inner, *border, cv2.BORDER_REFLECT_101)  # type: ignore[return-value]


def _without_skipped(
    prepared: Iterator[tuple[Path, _Prepared]], table, skipped: Counter[Reason], on_photographs: Callable[[int], None]
) -> Iterator[NDArray[np.uint8]]:
    """Yield the codes of what becomes an image; note every photograph in the table and count the skipped."""
    table.writerow(["image", "file", "skipped"])
    seen: dict[bytes, Path] = {}
    for file, codes in prepared:
        if not isinstance(codes, _Skipped):
            digest = hashlib.sha256(codes.data).digest()
            if digest in seen:
                codes = _Skipped("duplicate", f"same as {seen[digest].as_posix()}")
        if isinstance(codes, _Skipped):
            skipped[codes.reason] += 1
            table.writerow(["", file.as_posix(), f"{codes.reason}: {codes.details}"])
        else:
            table.writerow([len(seen), file.as_posix(), ""])
            seen[digest] = file
            yield codes
        on_photographs(1)
