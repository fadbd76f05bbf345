"""Colours a photograph of any size: predicts chroma at the size of the training, enlarges it, keeps the lightness."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.hints import no_hints
from colorizer.core.lab import NEUTRAL, Lightness, rgb_to_codes, rgb_to_luma
from colorizer.models.model import Model
from colorizer.photographs.hints import Hint, refuse_outside
from colorizer.photographs.photographs import Photograph
from colorizer.pixels.colors import displayable, lightness_of
from colorizer.pixels.patches import in_threads, patches
from colorizer.pixels.upsampling import GuidedUpsampling

LARGEST_STRENGTH = 4.0
_HINT_SIDE = 3  # pixels of the network's input: the largest of those that it learns to follow
_LARGEST_ASPECT = 4  # of a photograph that is longer and narrower the network sees the shorter side smaller


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Size of the network's input for a photograph, (h, w) in pixels: without (`inner`) and with padding (`padded`)."""

    inner: tuple[int, int]
    padded: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Colorizer:
    """Colours photographs with a model.

    size: the shorter side of the network's input, in pixels; the photograph's aspect is kept. strength: a factor on
    the predicted chroma; 0 leaves a photograph grey, 1 takes the prediction as it is. Raises UserError
    when that is not between 0 and LARGEST_STRENGTH.
    """

    model: Model
    size: int
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= LARGEST_STRENGTH:
            raise UserError(f"a strength of {self.strength:g} is not between 0 and {LARGEST_STRENGTH:g}")

    def shape(self, height: int, width: int) -> Shape:
        """Compute the size of the network's input. Photographs of equal `padded` sizes can share a batch."""
        scale = min(self.size / min(height, width), _LARGEST_ASPECT * self.size / max(height, width))
        inner = max(1, round(height * scale)), max(1, round(width * scale))
        multiple = self.model.info.side_multiple
        padded = -(-inner[0] // multiple) * multiple, -(-inner[1] // multiple) * multiple
        return Shape(inner=inner, padded=padded)

    def network_input(self, photograph: Photograph) -> NDArray[np.uint8]:
        """Resize and pad L to the network's input: codes of L, uint8 of the `padded` shape."""
        shape = self.shape(*photograph.size)
        small = _small_lightness(photograph.pixels, self.model.info.lightness_is, shape.inner)
        return _padded(small, shape.padded)

    def known(
        self, hints: Sequence[Hint], size: tuple[int, int], shape: Shape | None = None
    ) -> NDArray[np.uint8] | None:
        """Draw the hints of a photograph of this height and width as planes of the network's input.

        (H, W, 3) of the `padded` shape, as in `colorizer.core.hints`; None for a model that takes no hints. Where two
        hints meet, the later one counts. `shape` is given for an input that was made of the photograph at another size.
        Raises UserError for hints outside the photograph, or for a model that takes none.
        """
        self.refuse_hints(hints, size)
        if not self.model.info.takes_hints:
            return None
        shape = shape or self.shape(*size)
        return _padded(_drawn(hints, size, shape.inner), shape.padded)

    def refuse_hints(self, hints: Sequence[Hint], size: tuple[int, int]) -> None:
        """Raise UserError when the model takes no hints, or one lies outside a photograph of this height and width."""
        if hints and not self.model.info.takes_hints:
            raise UserError("this model takes no hints: train one with `train.generator.hints: true`")
        refuse_outside(hints, size)

    def predict(self, network_inputs: NDArray[np.uint8], known: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """Predict a*, b* (N, H, W, 2), times the strength, for the network inputs of N photographs (N, H, W).

        `known` (N, H, W, 3) holds their planes of hints.
        """
        codes = self.model.predict(network_inputs) if known is None else self.model.predict(network_inputs, hints=known)
        return (codes - NEUTRAL) * np.float32(self.strength)

    def upsampling(
        self, photograph: Photograph, network_input: NDArray[np.uint8], ab: NDArray[np.float32]
    ) -> GuidedUpsampling:
        """Fit what enlarges the a*, b* (H, W, 2) predicted for a photograph's network input (H, W)."""
        inner = self.shape(*photograph.size).inner
        return GuidedUpsampling.fit(self.guide(photograph, network_input), ab[: inner[0], : inner[1]])

    def guide(self, photograph: Photograph, network_input: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give codes of L* (h, w), of the `inner` shape, of a photograph whose network input is (H, W)."""
        inner = self.shape(*photograph.size).inner
        if self.model.info.lightness_is == "L*":
            return network_input[: inner[0], : inner[1]]
        return _small_lightness(photograph.pixels, "L*", inner)

    def recolor(
        self,
        photograph: Photograph,
        network_input: NDArray[np.uint8],
        ab: NDArray[np.float32],
        pool: Executor | None = None,
    ) -> Photograph:
        """Colour a photograph with the a*, b* (H, W, 2) predicted for its network input (H, W); keep its lightness.

        With `pool`, its threads work on parts of the photograph; the result is the same, however many they are.
        """
        height, width = photograph.size
        upsampling = self.upsampling(photograph, network_input, ab)
        colored = np.empty((height, width, 3), photograph.pixels.dtype)

        def color(patch: tuple[slice, slice]) -> None:
            lightness = lightness_of(photograph.pixels[patch])
            ab_here = upsampling.patch(lightness, patch[0].start, patch[1].start, (height, width))
            colored[patch] = displayable(lightness, ab_here, colored.dtype)

        list(in_threads(pool, color, patches(height, width)))
        return photograph.with_pixels(colored)

    def __call__(self, photograph: Photograph, pool: Executor | None = None, hints: Sequence[Hint] = ()) -> Photograph:
        """Colour one photograph; `pool` as in `recolor`, hints and errors as in `known`."""
        known = self.known(hints, photograph.size)
        network_input = self.network_input(photograph)
        [ab] = self.predict(network_input[None], None if known is None else known[None])
        return self.recolor(photograph, network_input, ab, pool)


def _luma(pixels: NDArray) -> NDArray[np.float32]:
    return rgb_to_luma(pixels) * np.float32(255 / np.iinfo(pixels.dtype).max)


def _small_lightness(pixels: NDArray, kind: Lightness, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Codes of L of the photograph at another size."""
    convert = lightness_of if kind == "L*" else _luma
    height, width = pixels.shape[:2]
    codes = np.empty((height, width), np.uint8)
    for patch in patches(height, width):
        codes[patch] = cv2.convertScaleAbs(convert(pixels[patch]))  # rounds to the nearest
    shrinks = shape[0] * shape[1] < codes.size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(codes, shape[::-1], interpolation=interpolation), np.uint8)


def _drawn(hints: Sequence[Hint], size: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Planes (h, w, 3) of that shape, on which each hint of a photograph of this height and width is a square."""
    planes = no_hints(shape)
    for hint in hints:
        row, column = (
            int((place + 0.5) * small / large)
            for place, small, large in zip((hint.y, hint.x), shape, size, strict=True)
        )
        top, left = row - _HINT_SIDE // 2, column - _HINT_SIDE // 2
        square = slice(max(0, top), top + _HINT_SIDE), slice(max(0, left), left + _HINT_SIDE)
        planes[square] = *rgb_to_codes(np.array([[hint.rgb]], np.uint8))[0, 0, 1:], 1
    return planes


def _padded(codes: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Mirrored at the lower and the right edge."""
    missing = shape[0] - codes.shape[0], shape[1] - codes.shape[1]
    return np.asarray(cv2.copyMakeBorder(codes, 0, missing[0], 0, missing[1], cv2.BORDER_REFLECT_101), np.uint8)
