"""Conversions between sRGB and CIELAB, and the notations of CIELAB that the project uses.

Three notations of CIELAB (D65) occur:

codes       8-bit OpenCV Lab, uint8: L = L* x 255/100, A = a* + 128, B = b* + 128. What is on disk.
lab         float: L* in [0, 100], a* and b* in about [-110, 110]. What colour science uses.
normalised  float in [-1, 1], through `Normalization`. What networks see.

Source: OpenCV, "Color conversions", RGB <-> CIE L*a*b*; IEC 61966-2-1 (sRGB).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Lightness = Literal["L*", "luma"]

# What colours images: codes of L (N, H, W) uint8 -> codes of A, B (N, H, W, 2) float32, not rounded.
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

LIGHTNESS_SCALE = 255 / 100  # code of L per unit of L*
NEUTRAL = 128  # code of a* = 0 and b* = 0

_WHITE_X, _WHITE_Z = 0.950456, 1.088754  # D65, with Y = 1
_LUMA = (0.299, 0.587, 0.114)
_LINEAR_RGB_TO_Y = (0.212671, 0.715160, 0.072169)
_STEPS = 2**16 - 1  # of tables over linear light: at most 0.05 codes apart, near black
_XYZ_TO_LINEAR_RGB = (
    (3.240479, -1.537150, -0.498535),
    (-0.969256, 1.875991, 0.041556),
    (0.055648, -0.204043, 1.057311),
)


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """Maps codes to [-1, 1] and back: (code - offset) / scale.

    The defaults are the recipe's: L through x / 127.5 - 1, A and B through (x - 128) / 128, so that a
    neutral colour is exactly 0. `lightness_is` says what the codes of L are made of, L* or luma; codes of a photograph
    have to be made the same way. The methods take arrays and tensors alike and keep their floating dtype.
    """

    lightness_offset: float = 127.5
    lightness_scale: float = 127.5
    chroma_offset: float = 128.0
    chroma_scale: float = 128.0
    lightness_is: Lightness = "L*"

    def lightness(self, codes):
        """Normalise codes of L: [0, 255] -> [-1, 1]."""
        return (codes - self.lightness_offset) / self.lightness_scale

    def chroma(self, codes):
        """Normalise codes of A or B: [0, 255] -> [-1, 1)."""
        return (codes - self.chroma_offset) / self.chroma_scale

    def chroma_codes(self, normalized):
        """Invert `chroma`: [-1, 1] -> codes of A or B, float, in [0, 256]; not rounded, not clipped."""
        return normalized * self.chroma_scale + self.chroma_offset


def rgb_to_codes(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert sRGB (H, W, 3) uint8 to codes (H, W, 3) uint8; integer arithmetic, the same on every machine."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)  # type: ignore[return-value]


def codes_to_lab(codes: NDArray) -> NDArray[np.float32]:
    """Convert codes (..., 3), uint8 or float, to L*, a*, b* (..., 3) float32."""
    lab = codes.astype(np.float32)
    lab[..., 0] /= LIGHTNESS_SCALE
    lab[..., 1:] -= NEUTRAL
    return lab


def lab_to_rgb(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Convert L*, a*, b* (H, W, 3) float32 to sRGB (H, W, 3) uint8; colours outside sRGB are clipped per channel."""
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)  # in [0, 1]
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def codes_to_rgb(codes: NDArray) -> NDArray[np.uint8]:
    """Convert codes (H, W, 3), uint8 or float, to sRGB (H, W, 3) uint8; colours outside sRGB are clipped."""
    return lab_to_rgb(codes_to_lab(codes))


def grey_codes(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Remove the colours: codes (..., 3) -> codes of the same L with A and B neutral."""
    grey = codes.copy()
    grey[..., 1:] = NEUTRAL
    return grey


def rgb_to_lightness(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute codes of L from sRGB (H, W, 3), or from greys (H, W), uint8: (H, W) float32, not rounded."""
    linear = _linear(np.arange(256) / 255)
    if rgb.ndim == 2:
        return _lightness_of_y(linear).take(rgb)
    red, green, blue = (linear * share for share in _LINEAR_RGB_TO_Y)
    y = red.take(rgb[..., 0]) + green.take(rgb[..., 1]) + blue.take(rgb[..., 2])
    return _lightness_table().take(np.rint(y * _STEPS).astype(np.int32))


def rgb_to_luma(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute luma (BT.601) of sRGB (H, W, 3), or of greys (H, W), uint8: (H, W) float32, not rounded."""
    return rgb.astype(np.float32) if rgb.ndim == 2 else rgb.astype(np.float32) @ np.array(_LUMA, np.float32)


def displayable_rgb(lightness: NDArray, ab: NDArray) -> NDArray[np.uint8]:
    """Convert codes of L (H, W) and a*, b* (H, W, 2), float32, to sRGB (H, W, 3) uint8, and keep the lightness.

    Gamut mapping: a colour outside sRGB gets the largest chroma of its hue that sRGB has at its lightness. Clipping its
    RGB would change its lightness.
    """
    f_y = (lightness / np.float32(LIGHTNESS_SCALE) + 16) / 116
    linear = _linear_rgb(f_y, ab)  # (H, W, 3)
    outside = ~_is_displayable(linear)
    f_y, ab = f_y[outside], ab[outside]  # (n,), (n, 2)
    low = np.zeros_like(f_y)  # the largest share of the chroma that is known to be displayable
    for share in np.arange(1, 8, dtype=np.float32) / 8:  # near yellow a smaller share may lie outside, a larger inside
        low[_is_displayable(_linear_rgb(f_y, ab * share))] = share
    high = low + np.float32(1 / 8)
    for _ in range(7):
        middle = (low + high) / 2
        inside = _is_displayable(_linear_rgb(f_y, ab * middle[:, None]))
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    linear[outside] = _linear_rgb(f_y, ab * low[:, None])
    steps = np.rint(np.clip(linear, 0, 1) * _STEPS).astype(np.int32)
    return _rgb_table().take(steps)


def mean_chroma(codes: NDArray[np.uint8]) -> float:
    """Compute the mean chroma sqrt(a*^2 + b*^2) of codes (..., 3), which is small for a near-grey image."""
    ab = codes[..., 1:].astype(np.float64) - NEUTRAL
    return float(np.sqrt((ab**2).sum(axis=-1)).mean())


def outside_srgb_table() -> NDArray[np.bool_]:
    """Tabulate which code triples no sRGB colour comes near: bool (256, 256, 256), indexed [L, A, B].

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


def _linear(encoded: NDArray) -> NDArray[np.float32]:
    """sRGB values in [0, 1] -> linear light."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _encoded(linear: NDArray) -> NDArray[np.float32]:
    """Linear light in [0, 1] -> sRGB values."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def _lightness_of_y(y: NDArray) -> NDArray[np.float32]:
    """Y in [0, 1] -> codes of L."""
    f_y = np.where(y > (6 / 29) ** 3, np.cbrt(y), y / (3 * (6 / 29) ** 2) + 4 / 29)
    return ((116 * f_y - 16) * LIGHTNESS_SCALE).astype(np.float32)


@cache
def _lightness_table() -> NDArray[np.float32]:
    """Codes of L for Y from 0 to 1 in _STEPS steps."""
    return _lightness_of_y(np.linspace(0, 1, _STEPS + 1))


@cache
def _rgb_table() -> NDArray[np.uint8]:
    """sRGB of 8 bits for linear light from 0 to 1 in _STEPS steps."""
    return np.rint(_encoded(np.linspace(0, 1, _STEPS + 1)) * 255).astype(np.uint8)


def _is_displayable(linear: NDArray) -> NDArray[np.bool_]:
    """Whether linear RGB (..., 3) lies in [0, 1], but for a fraction of a code of 8 bits."""
    return np.all((linear > -0.0001) & (linear < 1.002), axis=-1)


def _linear_rgb(f_y: NDArray, ab: NDArray) -> NDArray:
    """f(Y) (...) and a*, b* (..., 2) -> linear RGB (..., 3), which lies outside [0, 1] for colours outside sRGB."""
    x = _inverse_f(f_y + ab[..., 0] / 500) * np.float32(_WHITE_X)
    z = _inverse_f(f_y - ab[..., 1] / 200) * np.float32(_WHITE_Z)
    xyz = np.stack([x, _inverse_f(f_y), z], axis=-1)
    return xyz @ np.array(_XYZ_TO_LINEAR_RGB, np.float32).T


def _inverse_f(t: NDArray[Any]) -> NDArray[Any]:
    return np.where(t > 6 / 29, t * t * t, 3 * (6 / 29) ** 2 * (t - 4 / 29))
