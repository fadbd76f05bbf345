"""A coloured picture of few different colours, whose strength can be changed at once: only these colours are computed.

A photograph of two million pixels has some ten thousand colours: a change of strength takes a hundredth of the time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorizer.pixels.colors import displayable

MOST_COLORS = 2**16  # so that a number fits into two bytes


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The different colours of a picture, and which one each pixel has.

    lightness: codes of L (n,) float32, whole. ab: a*, b* (n, 2) float32 at a strength of 1. numbers: (H, W) uint16.
    """

    lightness: NDArray[np.float32]
    ab: NDArray[np.float32]
    numbers: NDArray[np.uint16]

    @classmethod
    def of(cls, lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> "Palette":
        """Make the palette of codes of L (H, W) and a*, b* (H, W, 2).

        L is rounded to a code, a* and b* to a unit, or to 2, 4, ... units where there were more than MOST_COLORS.
        """
        channels = lightness, *np.clip(np.moveaxis(ab, -1, 0), -127, 127)
        for step in (2**power for power in range(8)):
            codes = [np.rint(channel / np.float32(1 if channel is lightness else step)) for channel in channels]
            lowest = [code.min() for code in codes]
            shape = [int(code.max() - low) + 1 for code, low in zip(codes, lowest, strict=True)]
            place = np.zeros(lightness.shape, np.float32)  # whole numbers below 2**24 are exact
            for code, low, length in zip(codes, lowest, shape, strict=True):
                place = place * length + (code - low)
            places = place.astype(np.int32)
            is_there = np.zeros(np.prod(shape), np.bool_)
            is_there[places] = True
            there = np.flatnonzero(is_there)
            if len(there) <= MOST_COLORS:
                break
        number = np.zeros(len(is_there), np.uint16)
        number[there] = np.arange(len(there))
        colors = np.stack(np.unravel_index(there, shape), axis=-1) + np.array(lowest, np.float32)
        return cls(
            lightness=colors[:, 0].astype(np.float32),
            ab=(colors[:, 1:] * step).astype(np.float32),
            numbers=number.take(places),
        )

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return self.lightness.nbytes + self.ab.nbytes + self.numbers.nbytes

    def picture(self, strength: float) -> Image.Image:
        """Draw the picture, RGB, with its chroma times `strength`; colours outside sRGB keep their lightness."""
        rgbx = np.zeros((len(self.lightness), 4), np.uint8)
        rgb = displayable(self.lightness[None], (self.ab * np.float32(strength))[None], np.dtype(np.uint8))
        rgbx[:, :3] = rgb[0]
        height, width = self.numbers.shape
        return Image.frombytes("RGB", (width, height), rgbx.view(np.uint32)[:, 0].take(self.numbers), "raw", "RGBX")
