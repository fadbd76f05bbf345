"""Finds, names and writes files of photographs. Reading them is in decoding.py."""

import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write

Format = Literal["png", "jpeg", "webp", "tiff"]

# What is looked for in folders.
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff"})
_SUFFIX: dict[Format, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
_LARGEST_SIDE: dict[Format, int] = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383, "tiff": 2**31 - 1}
_LARGEST_JPEG_PROFILE = 255 * 65_519  # bytes: in 255 parts at most
_SAVE_OPTIONS: dict[Format, dict[str, Any]] = {
    "png": {"compress_level": 4},  # 6, the default, takes three times as long for 6% less
    "jpeg": {"quality": 100, "subsampling": 0},  # 95 moves L by 1 code on average, this by 0.4
    "webp": {"lossless": True, "exact": True, "quality": 20},  # quality is effort here
    "tiff": {"compression": None},  # libtiff, which would compress, ends the process over some EXIF tags
}


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A decoded photograph, the right way up.

    pixels: uint8, (H, W) for greys, else (H, W, 3), taken for sRGB. alpha: (H, W) uint8 or None. exif, icc_profile:
    bytes that go along into written files; the pixels are not converted from that profile. dpi: pixels per inch.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    exif: bytes | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """The pixels as (H, W, 3) uint8, greys three times."""
        return self.pixels if self.pixels.ndim == 3 else np.repeat(self.pixels[..., None], 3, axis=-1)

    def with_pixels(self, pixels: NDArray[np.uint8]) -> "Photograph":
        """Copy the photograph with other pixels."""
        return replace(self, pixels=pixels)


def find_photographs(given: Path) -> list[tuple[Path, Path]]:
    """List the photographs in a folder and below, sorted, each with its path relative to the folder.

    A file that is given stands for itself, with its own name. In folders, files are known by their suffixes, and names
    that begin with a dot are left out. Linked folders count, but for a link back to a folder that it lies in. Raises
    UserError when there is nothing of that name, no photograph in the folder, or a folder in it that cannot be read.
    """
    if not given.exists():
        raise UserError(f"{given} does not exist")
    if not given.is_dir():
        return [(given, Path(given.name))]
    found = []
    for folder, folders, names in os.walk(given, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in folders if not (name.startswith(".") or _leads_back(Path(folder, name)))]
        paths = [Path(folder, name) for name in names if not name.startswith(".")]
        # Links to nowhere, pipes and the like count: whoever reads them tells.
        found += [path for path in paths if path.suffix.lower() in SUFFIXES]
    if not found:
        raise UserError(f"{given} holds no photographs: expected files named *{', *'.join(sorted(SUFFIXES))}")
    return [(path, path.relative_to(given)) for path in sorted(found)]


def _leads_back(folder: Path) -> bool:
    """Whether this is a link to a folder that it lies in: following it would never end."""
    return folder.is_symlink() and any(above.resolve().is_relative_to(folder.resolve()) for above in folder.parents)


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {(error.strerror or '').lower()}") from error


def thumbnail(photograph: Photograph, side: int) -> Image.Image:
    """Shrink a photograph so that no side is longer than `side` pixels, as RGB; a smaller one keeps its size."""
    height, width = photograph.size
    scale = min(1, side / max(height, width))
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(photograph.pixels, shape, interpolation=cv2.INTER_AREA)
    return Image.fromarray(np.asarray(small, np.uint8)).convert("RGB")


def named(path: Path, file_format: Format) -> Path:
    """Give a path the suffix of the format."""
    return path.with_suffix(_SUFFIX[file_format])


def write_photograph(path: Path, photograph: Photograph, file_format: Format) -> None:
    """Write a photograph with its alpha, EXIF, ICC profile and resolution. `path` appears only when whole.

    Everything but JPEG is lossless; JPEG has quality 100 and full chroma resolution; TIFF is not compressed. EXIF and a
    profile that the format cannot hold, as EXIF of more than 64 KB in JPEG, are left out. Raises UserError when the
    format cannot hold the photograph, or the disk is full.
    """
    if max(photograph.size) > _LARGEST_SIDE[file_format]:
        raise UserError(f"{path}: {file_format} holds at most {_LARGEST_SIDE[file_format]} px a side: use png")
    alpha, profile = photograph.alpha, photograph.icc_profile
    if file_format == "jpeg":
        if alpha is not None and alpha.min() < 255:
            raise UserError(f"{path}: JPEG cannot hold the photograph's transparency: use png")
        alpha = None
        profile = profile if len(profile or b"") <= _LARGEST_JPEG_PROFILE else None
    along: dict[str, Any] = {
        "exif": photograph.exif,
        "icc_profile": profile,
        "dpi": photograph.dpi if file_format != "webp" else None,
    }
    image = Image.fromarray(photograph.rgb if alpha is None else np.dstack([photograph.rgb, alpha]))
    with atomic_write(path) as partial:
        try:
            _save(image, partial, file_format, along)
        except (ValueError, TypeError, OverflowError, RuntimeError, struct.error):
            _save(image, partial, file_format, along | {"exif": None})


def _save(image: Image.Image, path: Path, file_format: Format, along: dict[str, Any]) -> None:
    given = {name: value for name, value in along.items() if value}
    image.save(path, file_format.upper(), **_SAVE_OPTIONS[file_format], **given)
