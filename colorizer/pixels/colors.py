"""Colours of photographs of 8 and 16 bits a channel: their lightness, and sRGB of a lightness and a chroma.

colorizer/core/lab.py computes the same for training, where every pixel has to be the same on every machine. Here it has
to be quick: OpenCV and NumPy work in place on arrays that fit into a core's cache, and tables take the place of roots.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.core.lab import LIGHTNESS_SCALE

LARGEST = 2**16 - 1  # white in 16 bits; and the steps of tables over linear light, 0.05 codes of 8 bits apart at most
_LINEAR_RGB_TO_Y = np.array([[0.212671, 0.715160, 0.072169]])


def to_8_bits(wide: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Round codes of 16 bits to the nearest ones of 8 bits."""
    return _rounded().take(wide)


def lightness_of(pixels: NDArray) -> NDArray[np.float32]:
    """Compute codes of L from sRGB (H, W, 3), or from greys (H, W), uint8 or uint16: (H, W) float32, not rounded.

    In [0, 255]. Those of 8 bits are within 0.05 codes of `core.lab.rgb_to_lightness`.
    """
    largest = int(np.iinfo(pixels.dtype).max)
    if pixels.ndim == 2:
        return _looked_up(_lightness_of_greys(largest), pixels)
    y = np.asarray(cv2.transform(_looked_up(_linear_light(largest), pixels), _LINEAR_RGB_TO_Y), np.float32)
    if pixels.dtype == np.uint16:
        return _lightness(y)
    return _looked_up(_lightness_table(), _steps(y))


def displayable(lightness: NDArray[np.float32], ab: NDArray[np.float32], dtype: np.dtype) -> NDArray:
    """Convert codes of L (H, W) and a*, b* (H, W, 2), float32, to sRGB (H, W, 3), and keep the lightness.

    dtype: uint8 or uint16. Gamut mapping: a colour outside sRGB gets the largest chroma of its hue that sRGB has at its
    lightness, to the thousandth. Clipping its RGB would change its lightness.
    """
    lab = np.asarray(cv2.merge([lightness * np.float32(1 / LIGHTNESS_SCALE), ab[..., 0], ab[..., 1]]), np.float32)
    linear = _linear_rgb(lab)
    if linear.min() <= 0 or linear.max() >= 1:
        outside = _is_clipped(linear)
        linear[outside] = _linear_rgb(_in_gamut(lab[outside][:, None]))[:, 0]
    if dtype == np.uint8:
        return _looked_up(_encoded_table(), _steps(linear))
    return np.rint(_encoded(linear) * LARGEST).astype(np.uint16)


def _in_gamut(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take chroma from L*, a*, b* (n, 1, 3), n > 0, outside sRGB, until they are displayable."""
    low = np.zeros((len(lab), 1), np.float32)  # the largest share of the chroma that is known to be displayable
    for share in np.arange(1, 8, dtype=np.float32) / 8:  # near yellow a smaller share may lie outside, a larger inside
        low[~_is_clipped(_linear_rgb(_with_chroma(lab, np.full_like(low, share))))] = share
    high = low + np.float32(1 / 8)
    for _ in range(7):
        middle = ((low + high) / 2).astype(np.float32)
        clipped = _is_clipped(_linear_rgb(_with_chroma(lab, middle)))
        low[~clipped], high[clipped] = middle[~clipped], middle[clipped]
    return _with_chroma(lab, low)


def _looked_up(table: NDArray, codes: NDArray) -> NDArray:
    """The entry of a table for each code; OpenCV drops an axis of length 1."""
    return np.asarray(cv2.LUT(codes, table.reshape(1, -1))).reshape(codes.shape)


def _steps(linear: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Linear light in [0, 1] -> the nearest step of a table over it; overwrites it."""
    np.multiply(linear, np.float32(LARGEST), out=linear)
    np.add(linear, np.float32(0.5), out=linear)
    return linear.astype(np.uint16)


@cache
def _rounded() -> NDArray[np.uint8]:
    """The code of 8 bits for each of 16."""
    return np.rint(np.arange(LARGEST + 1) / (LARGEST / 255)).astype(np.uint8)


@cache
def _linear_light(largest: int) -> NDArray[np.float32]:
    """Linear light of the codes from 0 to `largest`."""
    encoded = np.arange(largest + 1) / largest
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


@cache
def _lightness_of_greys(largest: int) -> NDArray[np.float32]:
    """Codes of L of the greys from 0 to `largest`."""
    return _lightness(_linear_light(largest))


@cache
def _lightness_table() -> NDArray[np.float32]:
    """Codes of L for Y from 0 to 1."""
    return _lightness(np.linspace(0, 1, LARGEST + 1, dtype=np.float32))


@cache
def _encoded_table() -> NDArray[np.uint8]:
    """sRGB of 8 bits for linear light from 0 to 1."""
    return np.rint(_encoded(np.linspace(0, 1, LARGEST + 1, dtype=np.float32)) * 255).astype(np.uint8)


def _lightness(y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Y in [0, 1] -> codes of L."""
    lightness = np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * np.float32((29 / 3) ** 3))
    return (lightness * np.float32(LIGHTNESS_SCALE)).astype(np.float32)


def _encoded(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light in [0, 1] -> sRGB values in [0, 1]."""
    root = np.power(linear, np.float32(1 / 2.4))
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), np.float32(1.055) * root - np.float32(0.055))


def _linear_rgb(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """L*, a*, b* (H, W, 3) -> linear RGB, clipped to [0, 1]."""
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2LRGB), np.float32)


def _is_clipped(linear: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether linear RGB (H, W, 3), clipped to [0, 1], is 0 or 1 in a channel: (H, W)."""
    least, most = float(np.finfo(np.float32).tiny), float(np.nextafter(np.float32(1), np.float32(0)))
    return np.asarray(cv2.inRange(linear, (least,) * 3, (most,) * 3)) == 0


def _with_chroma(lab: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give colours (n, 1, 3) a share (n, 1) of their chroma."""
    return np.concatenate([lab[..., :1], lab[..., 1:] * share[..., None]], axis=-1)
