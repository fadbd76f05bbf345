"""Hints: colours that are known at some pixels of an image.

They lie in planes beside the lightness, (..., H, W, 3) uint8: codes of A and B and 1 where the colour is known, 0, 0, 0
elsewhere.

Source: Zhang et al., "Real-Time User-Guided Image Colorization with Learned Deep Priors" (2017).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PLANES = 3


def no_hints(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Make the planes (..., H, W, 3) of images of this shape, (..., H, W), of which no colour is known."""
    return np.zeros((*shape, PLANES), np.uint8)


def reveal(hints: NDArray[np.uint8], codes: NDArray[np.uint8], row: int, column: int, side: int) -> None:
    """Add a square to the planes (H, W, 3) of an image: the mean chroma of its codes (H, W, 3) there.

    `side` is in pixels. The square's middle is at (row, column); what lies outside the image is cut off.
    """
    top, left = row - side // 2, column - side // 2
    square = slice(max(0, top), top + side), slice(max(0, left), left + side)
    known = codes[square][..., 1:]
    hints[square][..., :2] = np.rint(known.mean(axis=(0, 1)))
    hints[square][..., 2] = 1


@dataclass(frozen=True, kw_only=True)
class HintSampling:
    """How many true colours an image shows while a generator learns to follow hints, and how large.

    none: the share of images that show none. whole: the share that show all. mean_points: how many squares the others
    show on average, geometrically distributed, at least one. largest_side: that of the squares, pixels; each has a
    random one from 1 on. Their places are normally distributed around the middle, with a quarter of each side of the
    image as deviation.
    """

    none: float
    whole: float
    mean_points: float
    largest_side: int

    def draw(self, codes: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        """Draw the hints (H, W, 3) of an image, codes (H, W, 3)."""
        hints = no_hints(codes.shape[:2])
        kind = random.random()
        if kind < self.none:
            return hints
        if kind < self.none + self.whole:
            hints[..., :2], hints[..., 2] = codes[..., 1:], 1
            return hints
        count = random.geometric(1 / self.mean_points)
        shape = np.array(codes.shape[:2])
        places = np.clip(np.rint(random.normal(shape / 2, shape / 4, (count, 2))), 0, shape - 1).astype(int)
        sides = random.integers(1, self.largest_side, count, endpoint=True)
        for (row, column), side in zip(places.tolist(), sides.tolist(), strict=True):
            reveal(hints, codes, row, column, side)
        return hints
