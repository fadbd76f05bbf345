"""A camera RAW made of a photograph: a DNG of 14 bits behind a Bayer filter, as a camera's sensor would see it."""

from pathlib import Path

import numpy as np
import tifffile

_WHITE = 2**14 - 1
_XYZ_TO_CAMERA = (3.240479, -1.537150, -0.498535, -0.969256, 1.875991, 0.041556, 0.055648, -0.204043, 1.057311)
_BYTE, _TEXT, _SHORT, _SIGNED_RATIONALS, _RATIONALS = 1, 2, 3, 10, 5
_RED, _GREEN, _BLUE = 0, 1, 2


def write_dng(path: Path, rgb: np.ndarray, orientation: int = 1) -> None:
    """Write sRGB (H, W, 3) uint8, both sides even, as a DNG that is stored as it is and shown as `orientation` says.

    The camera's primaries are those of sRGB, so a developed photograph looks as the original did.
    """
    encoded = rgb / 255
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    sensor = np.empty(rgb.shape[:2], np.uint16)
    for (row, column), channel in {(0, 0): _RED, (0, 1): _GREEN, (1, 0): _GREEN, (1, 1): _BLUE}.items():
        sensor[row::2, column::2] = np.rint(light[row::2, column::2, channel] * _WHITE)
    matrix = [part for value in _XYZ_TO_CAMERA for part in (round(value * 10_000), 10_000)]
    tags = {
        271: (_TEXT, "Maker"),
        272: (_TEXT, "A camera"),
        274: (_SHORT, orientation),
        33421: (_SHORT, (2, 2)),  # the filter repeats after 2 x 2 pixels
        33422: (_BYTE, bytes((_RED, _GREEN, _GREEN, _BLUE))),
        50706: (_BYTE, bytes((1, 4, 0, 0))),  # version of DNG
        50708: (_TEXT, "Maker A camera"),
        50714: (_SHORT, 0),  # black
        50717: (_SHORT, _WHITE),
        50721: (_SIGNED_RATIONALS, matrix),
        50728: (_RATIONALS, (1, 1, 1, 1, 1, 1)),  # neutral: as the sensor sees it
        50778: (_SHORT, 21),  # the matrix is for D65
    }
    counts = {_SIGNED_RATIONALS: 9, _RATIONALS: 3}
    extratags = [
        (tag, kind, counts.get(kind, len(value) if isinstance(value, bytes | tuple) else 1), value, True)
        for tag, (kind, value) in tags.items()
    ]
    tifffile.imwrite(path, sensor, photometric=32803, extratags=extratags, metadata=None, software=False)
