"""Guided upsampling: enlarges chroma smoothly, with its edges where those of the lightness are.

Source: He and Sun, "Fast Guided Filter" (2015). Within a small window chroma is taken for an affine function of the
lightness; its two coefficients are fitted on the small image, enlarged, and applied to the lightness of the large one.
OpenCV's own guided filter, cv2.ximgproc, is only in opencv-contrib.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 5  # pixels of the small image
# Regularisation: lightness steps far below sqrt(0.001) = 0.03 (white is 1) do not count as edges.
_SMOOTHNESS = 0.001


@dataclass(frozen=True)
class GuidedUpsampling:
    """A guided filter, fitted on a small image and applied to the large one.

    coefficients: slopes and offsets (h, w, 4) float32, of a* and b* over lightness in [0, 1].
    """

    coefficients: NDArray

    @classmethod
    def fit(cls, lightness: NDArray, ab: NDArray) -> "GuidedUpsampling":
        """Fit the filter to codes of L (h, w) and a*, b* (h, w, 2) of the small image."""
        guide = lightness[..., None].astype(np.float32) / 255  # (h, w, 1)
        guide_mean, ab_mean = _mean(guide), _mean(ab)
        variance = _mean(guide * guide) - guide_mean**2
        covariance = _mean(guide * ab) - guide_mean * ab_mean
        slope = covariance / (variance + _SMOOTHNESS)
        return cls(_mean(np.concatenate([slope, ab_mean - slope * guide_mean], axis=-1)))

    def patch(self, lightness: NDArray, top: int, left: int, size: tuple[int, int]) -> NDArray:
        """Compute a*, b* (n, m, 2) of a patch of the large image.

        lightness: codes of L of the patch, (n, m). top, left: its first row and column. size: height and width of the
        large image.
        """
        above, below, share = _between(top, lightness.shape[0], size[0], self.coefficients.shape[0])
        first, last = above[0], below[-1] + 1
        few_rows = self.coefficients[first:last]  # (few, w, 4)
        before, after, across = _between(left, lightness.shape[1], size[1], self.coefficients.shape[1])
        across = across[:, None]
        few_rows = few_rows[:, before] * (1 - across) + few_rows[:, after] * across  # (few, m, 4)
        share = share[:, None, None]
        slope_and_offset = few_rows[above - first] * (1 - share) + few_rows[below - first] * share  # (n, m, 4)
        return slope_and_offset[..., :2] * (lightness[..., None] / 255) + slope_and_offset[..., 2:]


def _between(start: int, count: int, large: int, small: int) -> tuple[NDArray, NDArray, NDArray]:
    """For `count` pixels of a large side from `start`: the two nearest of the small side, and the second's share."""
    position = (np.arange(start, start + count) + 0.5) * (small / large) - 0.5
    position = np.clip(position, 0, small - 1)
    first = position.astype(int)
    return first, np.minimum(first + 1, small - 1), (position - first).astype(np.float32)


def _mean(image: NDArray) -> NDArray:
    """The mean of the window around every pixel: (h, w, C) -> (h, w, C)."""
    return cv2.blur(image, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE).reshape(image.shape)
