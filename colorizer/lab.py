"""All colour conventions of the project, in one place.

Three notations of CIELAB (D65) occur:

codes       8-bit OpenCV Lab, uint8: L = L* x 255/100, A = a* + 128, B = b* + 128. What is on disk.
lab         float: L* in [0, 100], a* and b* in about [-110, 110]. What colour science uses.
normalised  float in [-1, 1], through `Normalization`. What networks see.

Source: OpenCV, "Color conversions", RGB <-> CIE L*a*b*; IEC 61966-2-1 (sRGB).
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Lightness = Literal["L*", "luma"]

LIGHTNESS_SCALE = 255 / 100  # code of L per unit of L*
NEUTRAL = 128  # code of a* = 0 and b* = 0

_WHITE_X, _WHITE_Z = 0.950456, 1.088754  # D65, with Y = 1
_XYZ_TO_LINEAR_RGB = (
    (3.240479, -1.537150, -0.498535),
    (-0.969256, 1.875991, 0.041556),
    (0.055648, -0.204043, 1.057311),
)


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """The affine map between codes and [-1, 1], as (code - offset) / scale.

    The defaults are the recipe's: L through x / 127.5 - 1, A and B through (x - 128) / 128, so that a
    neutral colour is exactly 0. `lightness_is` tells what the codes of L were made of, which whoever colours a
    photograph has to repeat. The methods take arrays and tensors alike and keep their floating dtype.
    """

    lightness_offset: float = 127.5
    lightness_scale: float = 127.5
    chroma_offset: float = 128.0
    chroma_scale: float = 128.0
    lightness_is: Lightness = "L*"

    def lightness(self, codes):
        """Codes of L in [0, 255] -> [-1, 1]."""
        return (codes - self.lightness_offset) / self.lightness_scale

    def chroma(self, codes):
        """Codes of A or B in [0, 255] -> [-1, 1)."""
        return (codes - self.chroma_offset) / self.chroma_scale

    def chroma_codes(self, normalised):
        """[-1, 1] -> codes of A or B, float, in [0, 256]; not rounded, not clipped."""
        return normalised * self.chroma_scale + self.chroma_offset


def rgb_to_codes(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """sRGB (H, W, 3) uint8 -> codes (H, W, 3) uint8; integer arithmetic, the same on every machine."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)  # type: ignore[return-value]


def codes_to_lab(codes: NDArray) -> NDArray[np.float32]:
    """Codes (..., 3), uint8 or float, -> L*, a*, b* (..., 3) float32."""
    lab = codes.astype(np.float32)
    lab[..., 0] /= LIGHTNESS_SCALE
    lab[..., 1:] -= NEUTRAL
    return lab


def lab_to_rgb(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """L*, a*, b* (H, W, 3) float32 -> sRGB (H, W, 3) uint8; colours outside sRGB are clipped per channel."""
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)  # in [0, 1]
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def codes_to_rgb(codes: NDArray) -> NDArray[np.uint8]:
    """Codes (H, W, 3), uint8 or float, -> sRGB (H, W, 3) uint8."""
    return lab_to_rgb(codes_to_lab(codes))


def outside_srgb_table() -> NDArray[np.bool_]:
    """For every code triple, whether no sRGB colour lies near it: bool (256, 256, 256), indexed [L, A, B].

    A triple is outside when a linear RGB component leaves [-0.02, 1.02]: rounding to 8 bits alone never puts a
    displayable colour outside. Only products and sums of float64 are used, so the
    table is bit for bit the same on every machine.
    """
    code = np.arange(256, dtype=np.float64)
    f_y = (code / LIGHTNESS_SCALE + 16) / 116  # (256,) over L
    x = _WHITE_X * _inverse_f(f_y[:, None] + (code - NEUTRAL) / 500)  # (256, 256) over L, A
    y = _inverse_f(f_y)
    z = _WHITE_Z * _inverse_f(f_y[:, None] - (code - NEUTRAL) / 200)  # (256, 256) over L, B
    table = np.zeros((256, 256, 256), dtype=np.bool_)
    for lightness in range(256):
        for from_x, from_y, from_z in _XYZ_TO_LINEAR_RGB:
            component = (from_x * x[lightness] + from_y * y[lightness])[:, None] + from_z * z[lightness]
            table[lightness] |= (component < -0.02) | (component > 1.02)
    return table


def _inverse_f(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(t > 6 / 29, t * t * t, 3 * (6 / 29) ** 2 * (t - 4 / 29))
