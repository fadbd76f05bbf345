"""Statistics of all pixels: per channel, the AB histogram, and a check that the codes are 8-bit Lab."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.lab import Lightness, Normalization, outside_srgb_table
from colorizer.core.store import split_channels
from colorizer.data.parallel import ordered_map

# Shares of pixels outside sRGB, measured on 25,000 photographs of 64 px: 0.0000 when L is L*, 0.005 when L is luma,
# 0.013 with a fifth of the images paired with the wrong colours, 0.05 and more with all of them, with A and B swapped
# or with L inverted, 0.75 and more when the file is not Lab at all.
LARGEST_SHARE_OF_LSTAR = 0.001


@dataclass(frozen=True, kw_only=True)
class PixelStatistics:
    """Exact statistics of all codes of a data set.

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
        """What codes of L are made of: `luma` (greys of BT.601) if too many colours lie outside sRGB, else `L*`."""
        return "L*" if self.outside_srgb <= LARGEST_SHARE_OF_LSTAR else "luma"


def measure(chunks: Iterable[NDArray[np.uint8]]) -> PixelStatistics:
    """Compute the statistics of chunks (n, H, W, 3) of codes in one pass, in integers: the same on every machine."""
    smallest, largest, first, second = 255, 0, 0, 0  # of L, with sum and sum of squares
    ab_counts = np.zeros((256, 256), np.int64)
    num_images, num_outside, image_shape = 0, 0, (0, 0)
    for counts in ordered_map(_Counter(), chunks):
        num_images += counts.num_images
        image_shape = counts.image_shape
        smallest, largest = min(smallest, counts.lightness[0]), max(largest, counts.lightness[1])
        first, second = first + counts.lightness[2], second + counts.lightness[3]
        ab_counts += counts.ab
        num_outside += counts.outside
    num_pixels = int(ab_counts.sum())
    return PixelStatistics(
        num_images=num_images,
        image_shape=image_shape,
        channels={
            "L": _describe(smallest, largest, num_pixels, first, second),
            "A": _describe_counts(ab_counts.sum(axis=1)),
            "B": _describe_counts(ab_counts.sum(axis=0)),
        },
        outside_srgb=round(num_outside / num_pixels, 6),
        ab_counts=ab_counts,
    )


def check_encoding(statistics: PixelStatistics, *, max_outside_srgb: float) -> None:
    """Raise UserError when the codes cannot be 8-bit OpenCV Lab of photographs; it says what they look like."""
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
    """Build the content of normalization.json: the recipe's map to [-1, 1] and what was measured."""
    return {
        "normalization": asdict(Normalization(lightness_is=statistics.lightness_is)),
        "images": statistics.num_images,
        "image_shape": list(statistics.image_shape),
        "channels": statistics.channels,
        "outside_srgb": statistics.outside_srgb,
    }


@dataclass(frozen=True)
class _Counts:
    num_images: int
    image_shape: tuple[int, int]
    lightness: tuple[int, int, int, int]  # smallest, largest, sum, sum of squares
    ab: NDArray[np.int64]  # (256, 256), indexed [A, B]
    outside: int  # pixels that no sRGB colour comes near


class _Counter:
    """Counts the codes of a chunk (n, H, W, 3)."""

    def __init__(self) -> None:
        self._outside = outside_srgb_table()  # 16 MB: looked at only where the smaller tables cannot tell
        self._inside = _surely_inside(self._outside)

    def __call__(self, chunk: NDArray[np.uint8]) -> _Counts:
        num_images, height, width, _ = chunk.shape
        lightness, *planes = split_channels(chunk.reshape(num_images * height, width, 3))
        ab = np.asarray(cv2.merge(planes), np.uint8)
        return _Counts(
            num_images,
            (height, width),
            _sum_up(lightness),
            _histogram(ab),
            self._count_outside(lightness, ab),
        )

    def _count_outside(self, lightness: NDArray[np.uint8], ab: NDArray[np.uint8]) -> int:
        limits = cv2.LUT(_as_pairs(ab), self._inside).view(np.uint8).reshape(ab.shape)
        inside = cv2.compare(cv2.merge([lightness, cv2.bitwise_not(lightness)]), limits, cv2.CMP_GE)
        if cv2.countNonZero(inside.reshape(len(inside), -1)) == inside.size:
            return 0
        rest = np.flatnonzero((inside == 0).any(axis=-1))
        a, b = ab.reshape(-1, 2)[rest].T
        return int(np.count_nonzero(self._outside[lightness.ravel()[rest], a, b]))


def _as_pairs(ab: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """View codes (n, W, 2) as A + 256 B: uint16 (n, W)."""
    return ab.view("<u2")[..., 0]


def _surely_inside(outside: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """The longest run of L without a triple outside, (65536,) indexed A + 256 B.

    Two bytes: the first L, and 255 less the last L. Then L and 255 - L of what lies inside are no smaller than they.
    Where there is no run, the first is larger than the last.
    """
    run, longest, last = (np.zeros((256, 256), np.int16) for _ in range(3))
    for code, layer in enumerate(outside):
        run = (run + 1) * ~layer
        longer = run > longest
        longest[longer] = run[longer]
        last[longer] = code
    limits = np.stack([last - longest + 1, 255 - last], axis=-1).transpose(1, 0, 2)  # [B, A]
    return np.ascontiguousarray(limits, np.uint8).view(np.uint16).ravel()


def _sum_up(codes: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Smallest, largest, sum and sum of squares: quicker than counting each code.

    OpenCV adds integers exactly, but on some machines it takes the root of the squares' sum and squares it again.
    """
    smallest, largest, _, _ = cv2.minMaxLoc(codes)
    return int(smallest), int(largest), int(cv2.sumElems(codes)[0]), round(cv2.norm(codes, cv2.NORM_L2SQR))


def _histogram(ab: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each pair of codes (n, W, 2) occurs: int64 (256, 256), indexed [A, B]."""
    total = np.zeros((256, 256), np.int64)
    rows = max(1, 2**23 // ab.shape[1])  # OpenCV counts in float32, which is exact up to 2^24
    for start in range(0, len(ab), rows):
        counts = cv2.calcHist([_as_pairs(ab[start : start + rows])], [0], None, [2**16], [0, 2**16])
        total += counts.astype(np.int64).reshape(256, 256).T
    return total


def _describe_counts(counts: NDArray[np.int64]) -> dict[str, float]:
    """What `_describe` gives, from how often each code occurs, (256,)."""
    present = np.flatnonzero(counts)
    first = sum(code * int(count) for code, count in enumerate(counts))
    second = sum(code * code * int(count) for code, count in enumerate(counts))
    return _describe(int(present[0]), int(present[-1]), int(counts.sum()), first, second)


def _describe(smallest: int, largest: int, total: int, first: int, second: int) -> dict[str, float]:
    """Minimum, maximum, mean and standard deviation of codes given their number, sum and sum of squares."""
    variance = (total * second - first * first) / (total * total)  # Python integers: exact up to here
    return {
        "minimum": smallest,
        "maximum": largest,
        "mean": round(first / total, 4),
        "deviation": round(variance**0.5, 4),
    }
