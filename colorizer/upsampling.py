"""Chroma from a small image to a large one, smoothly, with its edges where those of the lightness are.

Source: He and Sun, "Fast Guided Filter" (2015). Within a small window chroma is taken for an affine function of the
lightness; its two coefficients are fitted on the small image, enlarged, and applied to the lightness of the large one.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 5  # pixels of the small image
_SMOOTHNESS = 0.001  # deviations of lightness (white is 1) far below its square root are not taken for edges


@dataclass(frozen=True)
class GuidedUpsampling:
    """Fitted on a small image: slopes and offsets (h, w, 4) float32, of a* and b* over lightness in [0, 1]."""

    coefficients: NDArray

    @classmethod
    def fit(cls, lightness: NDArray, ab: NDArray) -> "GuidedUpsampling":
        """From codes of L (h, w) and a*, b* (h, w, 2) of the small image."""
        guide = lightness[..., None].astype(np.float32) / 255  # (h, w, 1)
        guide_mean, ab_mean = _mean(guide), _mean(ab)
        variance = _mean(guide * guide) - guide_mean**2
        covariance = _mean(guide * ab) - guide_mean * ab_mean
        slope = covariance / (variance + _SMOOTHNESS)
        return cls(_mean(np.concatenate([slope, ab_mean - slope * guide_mean], axis=-1)))

    def rows(self, lightness: NDArray, top: int, height: int) -> NDArray:
        """a*, b* (n, W, 2) of n rows of the large image, which has that height, from row `top`.

        lightness: their codes of L (n, W).
        """
        small_height = len(self.coefficients)
        position = (np.arange(top, top + len(lightness)) + 0.5) * (small_height / height) - 0.5
        position = np.clip(position, 0, small_height - 1).astype(np.float32)
        first, last = int(position[0]), min(int(position[-1]) + 1, small_height - 1)
        wide = _widened(self.coefficients[first : last + 1], lightness.shape[1])  # (m, W, 4)
        above = np.minimum(position.astype(int) - first, len(wide) - 1)
        below = np.minimum(above + 1, len(wide) - 1)
        share = (position - above - first)[:, None, None]
        slope_and_offset = wide[above] * (1 - share) + wide[below] * share  # (n, W, 4)
        return slope_and_offset[..., :2] * (lightness[..., None] / 255) + slope_and_offset[..., 2:]


def _widened(rows: NDArray, width: int) -> NDArray:
    return cv2.resize(rows, (width, len(rows)), interpolation=cv2.INTER_LINEAR).reshape(len(rows), width, -1)


def _mean(image: NDArray) -> NDArray:
    """The mean of the window around every pixel: (h, w, C) -> (h, w, C)."""
    return cv2.blur(image, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE).reshape(image.shape)
