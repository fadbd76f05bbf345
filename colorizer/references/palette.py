"""The colours of pictures at each lightness."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEP = 4  # codes of L between the lightnesses of the table
_WIDTH = 6.0  # codes of L: pixels about so near count for a lightness
_SPREAD = 5.0  # codes of A, B: a lightness whose colours differ more than this does not tell the colour
_FEWEST = 1e-4  # of all pixels: a lightness that fewer have is not known


@dataclass(frozen=True)
class Palette:
    """The mean colour at each lightness, and whether the colours of that lightness are all about this one.

    chroma: codes of A, B (64, 2). certainty: (64,), exp(-variance / (2 x _SPREAD^2)), 0 where too few pixels are.
    """

    chroma: NDArray[np.float32]
    certainty: NDArray[np.float32]

    @classmethod
    def of(cls, codes: NDArray[np.float32]) -> "Palette":
        """Measure the palette of pixels (n, 3), in codes."""
        levels = np.arange(0, 256, _STEP, dtype=np.float32)
        near = np.exp(-((levels[:, None] - codes[:, 0]) ** 2) / (2 * _WIDTH**2))  # (64, n)
        counts = near.sum(axis=1)
        near /= counts[:, None] + 1e-9
        chroma = near @ codes[:, 1:]
        variance = (near @ codes[:, 1:] ** 2 - chroma**2).sum(axis=1)
        certainty = np.exp(-np.maximum(variance, 0) / (2 * _SPREAD**2)) * (counts > _FEWEST * len(codes))
        return cls(chroma, certainty.astype(np.float32))

    def at(self, lightness: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look up colour (..., 2) and certainty (...) at codes of L (...)."""
        level = np.clip(np.rint(lightness / _STEP), 0, len(self.chroma) - 1).astype(int)
        return self.chroma[level], self.certainty[level]
