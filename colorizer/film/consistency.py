"""Metrics of a film's colours over time: the warping error, and the consistency of the distribution of colours.

Sources: Lai et al., "Learning Blind Video Temporal Consistency" (2018), section 4.2; Liu et al., "Temporally Consistent
Video Colorization with Deep Feature Propagation and Self-regularization Learning" (2021), section 4.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from colorizer.film.motion import sampled

DISTANCES = (1, 2, 4)  # of the frames whose distributions are compared


def warping_error(
    frame: NDArray[np.float32], frame_before: NDArray[np.float32], before: NDArray[np.float32], seen: NDArray[np.bool_]
) -> float:
    """Compute the mean squared distance of colours from those of the same points in the frame before.

    frame, frame_before: colours (H, W, C). before: for each pixel of `frame` its point's x, y in the frame before
    (H, W, 2). seen: the pixels that were to be seen there (H, W); NaN when there are none.
    """
    if not seen.any():
        return float("nan")
    difference = (frame - sampled(frame_before, before))[seen]
    return float((difference * difference).sum(axis=-1).mean(dtype=np.float64))


def color_histograms(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute the share of each code in each channel of a frame (H, W, 3) uint8: (3, 256)."""
    counts = [np.bincount(rgb[..., channel].ravel(), minlength=256) for channel in range(3)]
    return np.stack(counts) / (rgb.shape[0] * rgb.shape[1])


def distribution_consistency(histograms: Sequence[NDArray[np.float64]], distance: int) -> float:
    """Compute the CDC: the mean Jensen-Shannon divergence of frames `distance` apart, from their `color_histograms`.

    In nats, from 0 (equal) to log 2; the mean over channels and pairs of frames. NaN when the film is too short.
    """
    pairs = zip(histograms, histograms[distance:], strict=False)
    divergences = [jensen_shannon(one, other).mean() for one, other in pairs]
    return float(np.mean(divergences)) if divergences else float("nan")


def jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the Jensen-Shannon divergence of distributions (..., n), in nats."""
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log(ratio)).sum(axis=-1)
