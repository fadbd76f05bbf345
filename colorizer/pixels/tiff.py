"""Writes TIFF of 16 bits a channel, a band of rows at a time: Pillow, which has no such RGB, writes what goes along."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, TiffTags

_BAND = 2**20  # pixels that are written at a time
_UNASSOCIATED = 2  # TIFF's ExtraSamples: alpha that the colours are not multiplied by


def write_tiff(rgb: NDArray[np.uint16], alpha: NDArray[np.uint16] | None, path: Path, along: Mapping[str, Any]) -> None:
    """Write RGB (H, W, 3) uint16, with alpha (H, W) or without, not compressed.

    `along` holds `exif` (bytes), `icc_profile` (bytes) and `dpi` (of x and y), each of them or None. Raises OSError,
    and what Pillow raises for EXIF that it cannot write.
    """
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
