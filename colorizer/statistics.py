"""What the pixels say: statistics per channel, the AB histogram, and whether L really is L*."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.errors import UserError
from colorizer.lab import Lightness, Normalization, outside_srgb_table

# Shares of pixels outside sRGB, measured on 25,000 photographs of 64 px: 0.0000 when L is L*, 0.005 when L is luma,
# 0.013 with a fifth of the images paired with the wrong colours, 0.05 and more with all of them, with A and B swapped
# or with L inverted, 0.75 and more when the file is not Lab at all.
LARGEST_SHARE_OF_LSTAR = 0.001


@dataclass(frozen=True, kw_only=True)
class PixelStatistics:
    """Exact statistics of all codes.

    `channels` maps L, A, B to minimum, maximum, mean and deviation of the codes; `ab_counts` is the joint histogram
    of codes, int64 (256, 256) indexed [A, B]; `outside_srgb` is the share of pixels that no sRGB colour comes near.
    """

    num_images: int
    image_shape: tuple[int, int]
    channels: dict[str, dict[str, float]]
    outside_srgb: float
    ab_counts: NDArray[np.int64] = field(repr=False)

    @property
    def lightness_is(self) -> Lightness:
        """`L*`, or `luma` when the lightness looks like the grey value of a video signal."""
        return "L*" if self.outside_srgb <= LARGEST_SHARE_OF_LSTAR else "luma"


def measure(chunks: Iterable[NDArray[np.uint8]]) -> PixelStatistics:
    """Read chunks (n, H, W, 3) of codes once. Counts are integers, so the result is the same on every machine."""
    outside = outside_srgb_table().ravel()
    lightness_counts = np.zeros(256, np.int64)
    ab_counts = np.zeros((256, 256), np.int64)
    num_images, num_outside, image_shape = 0, 0, (0, 0)
    for chunk in chunks:
        num_images += len(chunk)
        image_shape = chunk.shape[1], chunk.shape[2]
        pixels = chunk.reshape(-1, image_shape[1], 3)
        lightness_counts += _histogram(pixels, 0)
        ab_counts += _histogram(pixels, 1, 2)
        index = chunk[..., 0].astype(np.int32)
        for channel in (1, 2):
            index <<= 8
            index |= chunk[..., channel]
        num_outside += int(np.count_nonzero(outside.take(index)))
    counts = {"L": lightness_counts, "A": ab_counts.sum(axis=1), "B": ab_counts.sum(axis=0)}
    return PixelStatistics(
        num_images=num_images,
        image_shape=image_shape,
        channels={name: _describe(count) for name, count in counts.items()},
        outside_srgb=round(num_outside / int(lightness_counts.sum()), 6),
        ab_counts=ab_counts,
    )


def check_encoding(statistics: PixelStatistics, *, max_outside_srgb: float) -> None:
    """Raise UserError, saying what it looks like, when the codes cannot be 8-bit OpenCV Lab of photographs."""
    largest = {name: channel["maximum"] for name, channel in statistics.channels.items()}
    if largest["L"] <= 100 and statistics.outside_srgb > LARGEST_SHARE_OF_LSTAR:  # else: merely dark
        raise UserError(
            f"L goes up to {largest['L']:.0f} only: it looks like L* from 0 to 100; store 8-bit codes, L* x 255/100"
        )
    if max(largest["A"], largest["B"]) <= 127 and min(statistics.channels[c]["mean"] for c in "AB") < 64:
        raise UserError(
            "A and B stay below 128: they look like a* and b* without the offset; store a* + 128 and b* + 128"
        )
    if statistics.outside_srgb > max_outside_srgb:
        raise UserError(
            f"{statistics.outside_srgb:.1%} of the pixels are colours that no screen shows (normalize.max_outside_srgb "
            f"allows {max_outside_srgb:.1%}): L and AB are not 8-bit OpenCV Lab (a* + 128, b* + 128), "
            "are swapped or inverted, or the batches are paired in the wrong order"
        )


def to_document(statistics: PixelStatistics) -> dict:
    """The content of normalization.json: the recipe's map to [-1, 1] and what was measured."""
    return {
        "normalization": asdict(Normalization(lightness_is=statistics.lightness_is)),
        "images": statistics.num_images,
        "image_shape": list(statistics.image_shape),
        "channels": statistics.channels,
        "outside_srgb": statistics.outside_srgb,
    }


def _histogram(pixels: NDArray[np.uint8], *channels: int) -> NDArray[np.int64]:
    """How often each code, or pair of codes, of the channels occurs: int64 (256,) or (256, 256)."""
    total = np.zeros([256] * len(channels), np.int64)
    rows = max(1, 2**23 // pixels.shape[1])  # OpenCV counts in float32, which is exact up to 2^24
    for start in range(0, len(pixels), rows):
        block = pixels[start : start + rows]
        counts = cv2.calcHist([block], channels, None, [256] * len(channels), [0, 256] * len(channels))
        total += counts.reshape(total.shape).astype(np.int64)
    return total


def _describe(counts: NDArray[np.int64]) -> dict[str, float]:
    """Minimum, maximum, mean and standard deviation of codes given how often each occurs, (256,)."""
    present = np.flatnonzero(counts)
    total = int(counts.sum())
    first = sum(code * int(count) for code, count in enumerate(counts))
    second = sum(code * code * int(count) for code, count in enumerate(counts))
    variance = (total * second - first * first) / (total * total)  # Python integers: exact up to here
    return {
        "minimum": int(present[0]),
        "maximum": int(present[-1]),
        "mean": round(first / total, 4),
        "deviation": round(variance**0.5, 4),
    }
