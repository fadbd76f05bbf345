"""CIEDE2000 for colours that share their lightness.

Source: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test data, and
mathematical observations" (2005), with kC = kH = 1. It is several times as fast as scikit-image's function, because it
leaves out the lightness and computes in float32. The test compares it with that function.
"""

import numpy as np
from numpy.typing import NDArray


def chroma_difference(
    a: NDArray[np.float32], b: NDArray[np.float32], true_a: NDArray[np.float32], true_b: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute CIEDE2000 between a*, b* and true a*, b* of the same L*; all of one shape, float32.

    Where two hues are opposite, both mean hues are right, and rounding chooses: they differ by less than 1%.
    """
    mean_chroma = (np.sqrt(a * a + b * b) + np.sqrt(true_a * true_a + true_b * true_b)) * np.float32(0.5)
    stretch = np.float32(1.5) - np.float32(0.5) * _share_of_strong_chroma(mean_chroma)  # 1 + G
    a, true_a = a * stretch, true_a * stretch
    chroma, true_chroma = np.sqrt(a * a + b * b), np.sqrt(true_a * true_a + true_b * true_b)
    hue = np.arctan2(b, a)
    half_turn = (np.arctan2(true_b, true_a) - hue) / np.float32(2 * np.pi)
    half_turn = (half_turn - np.rint(half_turn)) * np.float32(np.pi)  # half the angle between the hues, the short way
    hue += half_turn  # now the mean hue

    mean_chroma = (chroma + true_chroma) * np.float32(0.5)
    weight = (
        1
        - np.float32(0.17) * np.cos(hue - _radians(30))
        + np.float32(0.24) * np.cos(2 * hue)
        + np.float32(0.32) * np.cos(3 * hue + _radians(6))
        - np.float32(0.20) * np.cos(4 * hue - _radians(63))
    )
    by_chroma = (true_chroma - chroma) / (1 + np.float32(0.045) * mean_chroma)
    by_hue = 2 * np.sqrt(chroma * true_chroma) * np.sin(half_turn) / (1 + np.float32(0.015) * mean_chroma * weight)
    from_blue = (hue + _radians(85)) / np.float32(2 * np.pi)  # of a turn; blue is the hue of 275 degrees
    from_blue = (from_blue - np.rint(from_blue)) * np.float32(360 / 25)
    rotation = np.sin(_radians(60) * np.exp(-from_blue * from_blue)) * 2 * _share_of_strong_chroma(mean_chroma)
    return np.sqrt(np.maximum(by_chroma * by_chroma + by_hue * by_hue - rotation * by_chroma * by_hue, 0))


def _share_of_strong_chroma(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """sqrt(C^7 / (C^7 + 25^7)): near 0 for dull colours, near 1 for strong ones."""
    relative = chroma * np.float32(1 / 25)
    square = relative * relative
    seventh = square * square * square * relative
    return np.sqrt(seventh / (seventh + 1))


def _radians(degrees: float) -> np.float32:
    return np.float32(np.deg2rad(degrees))
