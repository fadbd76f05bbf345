"""Finds cuts: frames in which nothing continues the frame before, whatever moved and however the light changed.

A cut is where two signs agree: the flow there and the flow back contradict each other nearly everywhere, and the frame
before, carried along the flow, does not correlate with the frame. Histograms are not compared: a flash of light changes
them as much as a cut does.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# Unrelated photographs reached 0.11 and 0.26. Flashes, fades, zooms by 10%, turns by 5 degrees, pans by 7% of the
# height a frame and noise of 12 codes stayed above 0.20 and 0.49.
_FEWEST_CONSISTENT = 0.15  # share of the pixels
_LEAST_CORRELATION = 0.3
_LEAST_STRUCTURE = 0.05  # a black frame has less
_LINES = 64  # height at which frames are correlated: grain averages out
_WINDOW = 7  # pixels at this height
_NOISE = 4.0  # codes; structure below it says little


def is_cut(frame: NDArray[np.uint8], carried: NDArray[np.uint8], consistent: NDArray[np.bool_]) -> bool:
    """Decide whether a frame begins a new shot; black between two shots is a shot of its own.

    frame: codes of L (h, w). carried: those of the frame before, along the flow (h, w). consistent: where the flow
    there and the flow back agree (h, w).
    """
    one, other = _Windows(frame), _Windows(carried)
    if _correlation(one, other) >= _LEAST_CORRELATION:
        return False
    # Any flow is consistent with a frame that has no structure.
    structure = min(float(windows.structure.mean()) for windows in (one, other))
    return structure < _LEAST_STRUCTURE or float(consistent.mean()) < _FEWEST_CONSISTENT


class _Windows:
    """The lightness in the small window around each pixel of a reduced frame.

    codes: codes of L, mean, variance: of the window, structure: in [0, 1), (h, w) each.
    """

    def __init__(self, frame: NDArray[np.uint8]) -> None:
        scale = min(1.0, _LINES / min(frame.shape))
        height, width = (max(1, round(side * scale)) for side in frame.shape)
        self.codes = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        self.mean = _mean(self.codes)
        self.variance = np.maximum(_mean(self.codes * self.codes) - self.mean * self.mean, 0)
        deviation = np.sqrt(self.variance)
        self.structure = deviation / (deviation + _NOISE)


def _correlation(one: _Windows, other: _Windows) -> float:
    """Compute the mean correlation of the lightness in small windows, in [-1, 1]; 1 when neither has any structure.

    A window counts the more, the more structure it has. Brightness and contrast do not matter.
    """
    covariance = _mean(one.codes * other.codes) - one.mean * other.mean
    correlations = covariance / np.sqrt(one.variance * other.variance + _NOISE**2)
    structure = np.maximum(one.structure, other.structure)
    total = float(structure.sum())
    return float((correlations * structure).sum()) / total if total > _LEAST_STRUCTURE * structure.size else 1.0


def _mean(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(image, (_WINDOW, _WINDOW)), np.float32)
