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


def random_places(shape: tuple[int, int], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw places for hints in an image (H, W): rows and columns (count, 2).

    They are normally distributed around the middle, with a quarter of each side of the image as deviation; those that
    fall outside are moved to the edge. The first k of them do not depend on `count`.
    """
    sides = np.array(shape)
    places = np.rint(random.normal(sides / 2, sides / 4, (count, 2)))
    return np.clip(places, 0, sides - 1).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class HintSampling:
    """How many true colours an image shows while a generator learns to follow hints, and how large.

    none: the share of images that show none. mean_points: how many squares the others show on average, geometrically
    distributed, at least one. largest_side: that of the squares, pixels; each has a random one from 1 on. Their places
    are `random_places`.

    The paper also shows 1% of the images whole, which teaches nothing about spreading colours.
    """

    none: float
    mean_points: float
    largest_side: int

    def draw(self, codes: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        """Draw the hints (H, W, 3) of an image, codes (H, W, 3)."""
        hints = no_hints(codes.shape[:2])
        if random.random() < self.none:
            return hints
        count = random.geometric(1 / self.mean_points)
        places = random_places(codes.shape[:2], count, random)
        sides = random.integers(1, self.largest_side, count, endpoint=True)
        for (row, column), side in zip(places.tolist(), sides.tolist(), strict=True):
            reveal(hints, codes, row, column, side)
        return hints
