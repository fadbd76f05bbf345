"""What a photograph is, and how it is written. Reading is in decoding.py."""

import struct
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from colorizer.photographs.files import Format
from colorizer.pixels.colors import to_8_bits
from colorizer.pixels.png import write_png
from colorizer.pixels.tiff import write_tiff

DEEP_FORMATS: frozenset[Format] = frozenset({"png", "tiff"})  # which hold 16 bits a channel

_LARGEST_SIDE: dict[Format, int] = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383, "tiff": 2**31 - 1}
_LARGEST_JPEG_PROFILE = 255 * 65_519  # bytes: in 255 parts at most
_SAVE_OPTIONS: dict[Format, dict[str, Any]] = {
    "jpeg": {"quality": 100, "subsampling": 0},  # 95 moves L by 1 code on average, this by 0.4
    "webp": {"lossless": True, "exact": True, "quality": 20},  # quality is effort here
    "tiff": {"compression": None},  # libtiff, which would compress, ends the process over some EXIF tags
}


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A decoded photograph, the right way up.

    pixels: uint8 or uint16, (H, W) for greys, else (H, W, 3), taken for sRGB. alpha: (H, W) of the same type or None.
    exif, icc_profile: bytes that go along into written files; the pixels are not converted from that profile. dpi:
    pixels per inch.
    """

    pixels: NDArray
    alpha: NDArray | None = None
    exif: bytes | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def rgb(self) -> NDArray:
        """The pixels as (H, W, 3), greys three times."""
        return self.pixels if self.pixels.ndim == 3 else np.repeat(self.pixels[..., None], 3, axis=-1)

    def with_pixels(self, pixels: NDArray) -> "Photograph":
        """Copy the photograph with other pixels."""
        return replace(self, pixels=pixels)


def thumbnail(photograph: Photograph, side: int) -> Image.Image:
    """Shrink a photograph so that no side is longer than `side` pixels, as RGB; a smaller one keeps its size."""
    height, width = photograph.size
    scale = min(1, side / max(height, width))
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(photograph.pixels, shape, interpolation=cv2.INTER_AREA))
    return Image.fromarray(_8_bits(small)).convert("RGB")


def _8_bits(pixels: NDArray) -> NDArray[np.uint8]:
    return to_8_bits(pixels) if pixels.dtype == np.uint16 else np.asarray(pixels, np.uint8)


def write_photograph(path: Path, photograph: Photograph, file_format: Format, pool: Executor | None = None) -> None:
    """Write a photograph with its alpha, EXIF, ICC profile and resolution. `path` appears only when whole.

    Everything but JPEG is lossless; JPEG has quality 100 and full chroma resolution; TIFF is not compressed. Pixels of
    16 bits keep them in PNG and TIFF, and become 8 bits in the others. EXIF and a profile that the format cannot hold,
    as EXIF of more than 64 KB in JPEG, are left out. The threads of `pool` compress a PNG; its bytes are the same
    without. Raises UserError when the format cannot hold the photograph, or the disk is full.
    """
    if max(photograph.size) > _LARGEST_SIDE[file_format]:
        raise UserError(f"{path}: {file_format} holds at most {_LARGEST_SIDE[file_format]} px a side: use png")
    alpha, profile = photograph.alpha, photograph.icc_profile
    if file_format == "jpeg":
        if alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
            raise UserError(f"{path}: JPEG cannot hold the photograph's transparency: use png")
        alpha = None
        profile = profile if len(profile or b"") <= _LARGEST_JPEG_PROFILE else None
    along: dict[str, Any] = {
        "exif": photograph.exif,
        "icc_profile": profile,
        "dpi": photograph.dpi if file_format != "webp" else None,
    }
    save: Callable[[Path, dict[str, Any]], None]
    if photograph.pixels.dtype == np.uint16 and file_format == "tiff":
        save = partial(write_tiff, photograph.rgb, alpha)
    elif file_format == "png":
        save = partial(write_png, photograph.rgb, alpha, pool=pool)
    else:
        image = Image.fromarray(_8_bits(photograph.rgb))
        if alpha is not None:
            image.putalpha(Image.fromarray(_8_bits(alpha)))
        save = partial(_save, image, file_format)
    with atomic_write(path) as temporary:
        try:
            save(temporary, along)
        except (ValueError, TypeError, OverflowError, RuntimeError, struct.error):
            save(temporary, along | {"exif": None})


def _save(image: Image.Image, file_format: Format, path: Path, along: dict[str, Any]) -> None:
    given = {name: value for name, value in along.items() if value}
    image.save(path, file_format.upper(), **_SAVE_OPTIONS[file_format], **given)
