"""Finds cuts: frames in which nothing continues the frame before, whatever moved and however the light changed.

A cut is where two signs agree: the flow there and the flow back contradict each other nearly everywhere, and the frame
before, carried along the flow, does not correlate with the frame. Histograms are not compared: a flash of light changes
them as much as a cut does.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# Unrelated photographs reached 0.11 and 0.26. Flashes, fades, zooms by 10%, turns by 5 degrees, pans by 16% of the
# height a frame and noise of 12 codes stayed above 0.20 and 0.49.
_FEWEST_CONSISTENT = 0.15  # share of the pixels
_LEAST_CORRELATION = 0.3
_LINES = 64  # height at which frames are correlated: grain averages out
_WINDOW = 7  # pixels at this height
_NOISE = 4.0  # codes; structure below it says little


def is_cut(frame: NDArray[np.uint8], carried: NDArray[np.uint8], consistent: NDArray[np.bool_]) -> bool:
    """Decide whether a frame begins a new shot.

    frame: codes of L (h, w). carried: those of the frame before, along the flow (h, w). consistent: where the flow
    there and the flow back agree (h, w).
    """
    return bool(consistent.mean() < _FEWEST_CONSISTENT) and correlation(frame, carried) < _LEAST_CORRELATION


def correlation(frame: NDArray[np.uint8], carried: NDArray[np.uint8]) -> float:
    """Compute the mean correlation of the lightness in small windows, in [-1, 1]; 1 when neither has any structure.

    A window counts the more, the more structure it has. Brightness and contrast do not matter.
    """
    scale = min(1.0, _LINES / min(frame.shape))
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    one, other = (_small(codes, size) for codes in (frame, carried))
    one_mean, other_mean = _mean(one), _mean(other)
    one_variance = np.maximum(_mean(one * one) - one_mean * one_mean, 0)
    other_variance = np.maximum(_mean(other * other) - other_mean * other_mean, 0)
    covariance = _mean(one * other) - one_mean * other_mean
    correlations = covariance / np.sqrt(one_variance * other_variance + _NOISE**2)
    deviation = np.sqrt(np.maximum(one_variance, other_variance))
    structure = deviation / (deviation + _NOISE)
    if structure.mean() < 0.01:
        return 1.0
    return float((correlations * structure).sum() / structure.sum())


def _small(codes: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(codes, size, interpolation=cv2.INTER_AREA), np.float32)


def _mean(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(image, (_WINDOW, _WINDOW)), np.float32)
