"""Photographs of 16 bits a channel: their lightness, their colours, and PNG and TIFF files of them.

colorizer/core/lab.py computes with tables that are fine enough for 8 bits; here the same is computed in floats. Pillow
has no RGB of 16 bits, so the pixels are written here, a band of rows at a time, and Pillow writes what goes along.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, TiffTags
from PIL.PngImagePlugin import putchunk

from colorizer.core.lab import LIGHTNESS_SCALE

LARGEST = 2**16 - 1  # code of white
_LINEAR_RGB_TO_Y = (0.212671, 0.715160, 0.072169)
_BAND = 2**20  # pixels that are written at a time
_SUB = 1  # PNG's filter: each byte minus that of the pixel on its left
# On photographs of 16 bits, whose lowest bits are noise, libpng's choice of filters and zlib's usual effort save 3%
# and take twice as long.
_PNG_EFFORT = 1
_UNASSOCIATED = 2  # TIFF's ExtraSamples: alpha that the colours are not multiplied by


def to_8_bits(wide: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Round codes of 16 bits to the nearest ones of 8 bits."""
    return _rounded().take(wide)


def lightness_of_16_bits(pixels: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Compute codes of L from sRGB (H, W, 3), or from greys (H, W), uint16: (H, W) float32, in [0, 255]."""
    linear = _linear_light()
    if pixels.ndim == 2:
        return _lightness(linear).take(pixels)
    red, green, blue = (linear.take(pixels[..., i]) * np.float32(_LINEAR_RGB_TO_Y[i]) for i in range(3))
    return _lightness(red + green + blue)


def displayable_16_bits(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Convert codes of L (H, W) and a*, b* (H, W, 2) to sRGB (H, W, 3) uint16, and keep the lightness.

    As `core.lab.displayable_rgb`: a colour outside sRGB gets the largest chroma of its hue that sRGB has there.
    """
    lab = np.dstack([lightness / np.float32(LIGHTNESS_SCALE), ab])
    linear = _linear_rgb(lab)
    outside = _is_clipped(linear)
    if outside.any():
        linear[outside] = _linear_rgb(_in_gamut(lab[outside][:, None]))[:, 0]
    root = np.power(linear, np.float32(1 / 2.4))
    encoded = np.where(linear <= 0.0031308, linear * np.float32(12.92), np.float32(1.055) * root - np.float32(0.055))
    return np.rint(encoded * LARGEST).astype(np.uint16)


def _in_gamut(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take chroma from L*, a*, b* (n, 1, 3), n > 0, outside sRGB, until they are displayable."""
    low = np.zeros((len(lab), 1), np.float32)  # the largest share of the chroma that is known to be displayable
    for share in np.arange(1, 8, dtype=np.float32) / 8:
        low[~_is_clipped(_linear_rgb(_with_chroma(lab, np.full_like(low, share))))] = share
    high = low + np.float32(1 / 8)
    for _ in range(7):
        middle = ((low + high) / 2).astype(np.float32)
        clipped = _is_clipped(_linear_rgb(_with_chroma(lab, middle)))
        low[~clipped], high[clipped] = middle[~clipped], middle[clipped]
    return _with_chroma(lab, low)


def write_16_bits(
    rgb: NDArray[np.uint16], alpha: NDArray[np.uint16] | None, file_format: str, path: Path, along: Mapping[str, Any]
) -> None:
    """Write RGB (H, W, 3), with alpha (H, W) or without, as "png" or "tiff".

    `along` holds `exif` (bytes), `icc_profile` (bytes) and `dpi` (of x and y), each of them or None.
    """
    (_write_png if file_format == "png" else _write_tiff)(path, rgb, alpha, along)


def _write_png(path: Path, rgb: NDArray[np.uint16], alpha: NDArray[np.uint16] | None, along: Mapping[str, Any]) -> None:
    height, width = rgb.shape[:2]
    color_type, pixel = (2, 6) if alpha is None else (6, 8)  # bytes a pixel
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        putchunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0))
        if profile := along["icc_profile"]:
            putchunk(file, b"iCCP", b"ICC Profile\0\0", zlib.compress(profile))
        if dpi := along["dpi"]:
            putchunk(file, b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in dpi), 1))  # per metre
        if exif := along["exif"]:
            putchunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
        compressor = zlib.compressobj(_PNG_EFFORT)
        for band in _bands(rgb, alpha):
            rows = band.astype(">u2").view(np.uint8).reshape(len(band), width * pixel)
            filtered = np.empty((len(band), 1 + width * pixel), np.uint8)
            filtered[:, 0] = _SUB
            filtered[:, 1 : 1 + pixel] = rows[:, :pixel]
            np.subtract(rows[:, pixel:], rows[:, :-pixel], out=filtered[:, 1 + pixel :])
            if compressed := compressor.compress(filtered.data):
                putchunk(file, b"IDAT", compressed)
        putchunk(file, b"IDAT", compressor.flush())
        putchunk(file, b"IEND")


def _write_tiff(
    path: Path, rgb: NDArray[np.uint16], alpha: NDArray[np.uint16] | None, along: Mapping[str, Any]
) -> None:
    height, width = rgb.shape[:2]
    num_channels = 3 if alpha is None else 4
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    if along["exif"]:
        exif = Image.Exif()
        exif.load(along["exif"])
        for tag in exif:
            tags[tag] = exif.get_ifd(tag) if tag in TiffTags.TAGS_V2_GROUPS else exif[tag]
    if along["icc_profile"]:
        tags[TiffImagePlugin.ICCPROFILE] = along["icc_profile"]
    if along["dpi"]:
        tags[TiffImagePlugin.RESOLUTION_UNIT] = 2  # inches
        tags[TiffImagePlugin.X_RESOLUTION], tags[TiffImagePlugin.Y_RESOLUTION] = along["dpi"]
    tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH] = width, height
    tags[TiffImagePlugin.BITSPERSAMPLE] = (16,) * num_channels
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = num_channels
    tags[TiffImagePlugin.COMPRESSION] = 1  # none
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 2  # RGB
    tags[TiffImagePlugin.PLANAR_CONFIGURATION] = 1  # interleaved
    if alpha is not None:
        tags[TiffImagePlugin.EXTRASAMPLES] = _UNASSOCIATED
    rows = tags[TiffImagePlugin.ROWSPERSTRIP] = _rows_of_a_band(width)
    row_bytes = width * num_channels * 2
    tops = range(0, height, rows)
    for tag in (TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.STRIPBYTECOUNTS):
        tags.tagtype[tag] = TiffTags.LONG
    tags[TiffImagePlugin.STRIPOFFSETS] = tuple(top * row_bytes for top in tops)  # `save` adds where they begin
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = tuple(min(rows, height - top) * row_bytes for top in tops)
    with path.open("wb") as file:
        tags.save(file)
        for band in _bands(rgb, alpha):
            file.write(band.astype("<u2").tobytes())


def _bands(rgb: NDArray[np.uint16], alpha: NDArray[np.uint16] | None) -> Iterator[NDArray[np.uint16]]:
    """Some rows of all channels at a time."""
    rows = _rows_of_a_band(rgb.shape[1])
    for top in range(0, len(rgb), rows):
        band = rgb[top : top + rows]
        yield band if alpha is None else np.dstack([band, alpha[top : top + rows]])


def _rows_of_a_band(width: int) -> int:
    return max(1, _BAND // width)


@cache
def _rounded() -> NDArray[np.uint8]:
    """The code of 8 bits for each of 16."""
    return np.rint(np.arange(LARGEST + 1) / (LARGEST / 255)).astype(np.uint8)


@cache
def _linear_light() -> NDArray[np.float32]:
    """Linear light of the 65,536 codes."""
    encoded = np.arange(LARGEST + 1) / LARGEST
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _lightness(y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Y in [0, 1] -> codes of L."""
    lightness = np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * np.float32((29 / 3) ** 3))
    return (lightness * np.float32(LIGHTNESS_SCALE)).astype(np.float32)


def _linear_rgb(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """L*, a*, b* (H, W, 3) -> linear RGB, clipped to [0, 1]."""
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2LRGB), np.float32)


def _is_clipped(linear: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.any((linear <= 0) | (linear >= 1), axis=-1)


def _with_chroma(lab: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give colours (n, 1, 3) a share (n, 1) of their chroma."""
    return np.concatenate([lab[..., :1], lab[..., 1:] * share[..., None]], axis=-1)
