"""Suggests colours for a place of a photograph: the likeliest there by the model's own predictions.

A model gives each pixel one colour and no distribution. What it gives to the photograph's other pixels of about the
same lightness, with the hints so far and without any, is taken for samples of one: where it is wrong about a place, the
right colour is often among them. It costs no prediction. What no pixel got is not suggested.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.core.lab import LIGHTNESS_SCALE
from colorizer.pixels.colors import displayable

MOST_COLORS = 8
_LIGHTNESS_DEVIATION = 8.0  # L* units: a pixel of another lightness counts less
_STEP = 4  # a*, b* units: side of the bins of the histogram
_BINS = 64  # of a*, and of b*, from -128 on
_APART = 12.0  # a*, b* units between two suggestions


def suggest_colors(
    lightness: NDArray[np.uint8], predictions: Sequence[NDArray[np.float32]], row: int, column: int
) -> list[str]:
    """Suggest colours, `#rrggbb`, for a pixel: MOST_COLORS of them at most, the likeliest first.

    lightness: codes of L (h, w). predictions: a*, b* (h, w, 2) each. The first colour is that of the first prediction;
    the last is a grey.
    """
    here = lightness[row, column]
    weights = np.exp(-0.5 * ((lightness - np.float32(here)) / (_LIGHTNESS_DEVIATION * LIGHTNESS_SCALE)) ** 2)
    frequent = _histogram(predictions, weights)
    chosen = [predictions[0][row, column]]
    while len(chosen) < MOST_COLORS - 1:
        likeliest = np.unravel_index(np.argmax(frequent), frequent.shape)
        if frequent[likeliest] <= 0:
            break
        color = (np.array(likeliest, np.float32) + 0.5) * _STEP - 128
        if min(np.linalg.norm(color - other) for other in chosen) >= _APART:
            chosen.append(color)
        frequent[likeliest] = 0
    if min(np.linalg.norm(color) for color in chosen) >= _APART:
        chosen.append(np.zeros(2, np.float32))
    return [hex_color(here, color) for color in chosen]


def hex_color(lightness: float, ab: NDArray[np.float32]) -> str:
    """Write a*, b* (2,) as `#rrggbb` of this code of L, with less chroma where sRGB has not as much."""
    [[rgb]] = displayable(np.array([[lightness]], np.float32), ab[None, None].astype(np.float32), np.dtype(np.uint8))
    return "#" + bytes(rgb.tolist()).hex()


def _histogram(predictions: Sequence[NDArray[np.float32]], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much weight pixels of each colour have: (bins of a*, bins of b*), smoothed over the neighbouring bins."""
    counts = np.zeros(_BINS * _BINS, np.float32)
    for ab in predictions:
        bins = np.clip((ab + 128) / _STEP, 0, _BINS - 1).astype(int)
        places = bins[..., 0] * _BINS + bins[..., 1]
        counts += np.bincount(places.ravel(), weights.ravel(), _BINS * _BINS).astype(np.float32)
    counts[counts < 0.01] = 0
    return np.asarray(cv2.GaussianBlur(counts.reshape(_BINS, _BINS), (3, 3), 0), np.float32)
