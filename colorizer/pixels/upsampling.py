"""Guided upsampling: enlarges chroma smoothly, with its edges where those of the lightness are.

Source: He and Sun, "Fast Guided Filter" (2015). Within a small window chroma is taken for an affine function of the
lightness; its two coefficients are fitted on the small image, enlarged, and applied to the lightness of the large one.
OpenCV's own guided filter, cv2.ximgproc, is only in opencv-contrib.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 5  # pixels of the small image
# Regularisation: lightness steps far below sqrt(0.001) = 0.03 (white is 1) do not count as edges.
_SMOOTHNESS = 0.001


@dataclass(frozen=True)
class GuidedUpsampling:
    """A guided filter, fitted on a small image and applied to the large one.

    coefficients: slopes and offsets of a* and b* over lightness in [0, 1], (h, 4, w) float32.
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
        coefficients = _mean(np.concatenate([slope, ab_mean - slope * guide_mean], axis=-1))  # (h, w, 4)
        return cls(np.ascontiguousarray(np.moveaxis(coefficients, -1, 1), np.float32))

    def patch(self, lightness: NDArray, top: int, left: int, size: tuple[int, int]) -> NDArray:
        """Compute a*, b* (n, m, 2) float32 of a patch of the large image.

        lightness: codes of L of the patch, (n, m) float32. top, left: its first row and column. size: height and width
        of the large image.
        """
        few_rows, above, down = self._enlarged_across(top, lightness.shape, left, size)
        to_next = np.diff(few_rows, axis=0, append=few_rows[-1:])
        guide = lightness * np.float32(1 / 255)
        ab = np.empty((2, *guide.shape), np.float32)
        below = np.empty_like(guide)
        starts = np.flatnonzero(np.diff(above, prepend=-1)).tolist()
        for start, end in pairwise([*starts, len(above)]):  # rows that lie between the same two of the small image
            rows = slice(start, end)
            coefficients, steps = few_rows[above[start]], to_next[above[start]]  # (4, m)
            for channel in (0, 1):
                here, there = ab[channel, rows], below[rows]
                np.multiply(guide[rows], coefficients[channel], out=here)
                here += coefficients[2 + channel]
                np.multiply(guide[rows], steps[channel], out=there)
                there += steps[2 + channel]
                there *= down[rows, None]
                here += there
        return np.moveaxis(ab, 0, -1)

    def _enlarged_across(
        self, top: int, shape: tuple[int, ...], left: int, size: tuple[int, int]
    ) -> tuple[NDArray, NDArray, NDArray]:
        """The few rows of the small image at a patch, made as wide as the patch: (few, 4, m).

        And for each row of the patch which of them lies above, and the share of the next one.
        """
        above, down = _between(top, shape[0], size[0], self.coefficients.shape[0])
        before, across = _between(left, shape[1], size[1], self.coefficients.shape[2])
        few = self.coefficients[above[0] : above[-1] + 2, :, before[0] : before[-1] + 2]
        to_next = np.diff(few, axis=2, append=few[..., -1:]).take(before - before[0], axis=2)
        return few.take(before - before[0], axis=2) + to_next * across, above - above[0], down


def _between(start: int, count: int, large: int, small: int) -> tuple[NDArray, NDArray]:
    """For `count` pixels of a large side from `start`: the one before on the small side, and the share of the next."""
    position = (np.arange(start, start + count) + 0.5) * (small / large) - 0.5
    position = np.clip(position, 0, small - 1)
    first = position.astype(int)
    return first, (position - first).astype(np.float32)


def _mean(image: NDArray) -> NDArray:
    """The mean of the window around every pixel: (h, w, C) -> (h, w, C)."""
    return cv2.blur(image, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE).reshape(image.shape)
