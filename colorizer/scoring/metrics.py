"""Metrics of colourings, per image and over all images.

PSNR and SSIM are taken on 8-bit sRGB, CIEDE2000 on L*, a*, b*, the AB error on codes. Predictions and truth share
the same lightness. What an image scores does not depend on those that are scored with it.
"""

import numpy as np
from numpy.typing import NDArray

from colorizer.core.lab import LIGHTNESS_SCALE, codes_to_lab, lab_to_rgb
from colorizer.scoring.ciede2000 import chroma_difference
from colorizer.scoring.ssim import Windows, ssim

# Pooled histograms of a*, b*: 22 x 22 bins of 10 over +-110, as in Zhang et al., "Colorful Image Colorization" (2016).
_BINS, _BIN_WIDTH = 22, 10


class Coloring:
    """Coloured images, converted once to all that the metrics need: a*, b*, sRGB and windows for SSIM.

    Takes codes of L (n, H, W) uint8 and of A and B (n, H, W, 2), uint8 or float32 and not rounded.
    """

    def __init__(self, lightness: NDArray[np.uint8], chroma: NDArray) -> None:
        n, height, width = lightness.shape
        lab = codes_to_lab(np.concatenate([lightness[..., None], chroma], axis=-1))
        self.a, self.b = (np.ascontiguousarray(lab[..., channel]) for channel in (1, 2))  # (n, H, W)
        self.rgb = lab_to_rgb(lab.reshape(n * height, width, 3)).reshape(n, height, width, 3)
        self.windows = Windows(self.rgb)


def score_images(coloring: Coloring, truth: Coloring) -> dict[str, NDArray]:
    """Compute all scores of n images against the truth, (n,) each."""
    return {
        "psnr": psnr(coloring.rgb, truth.rgb),
        "ssim": ssim(coloring.windows, truth.windows),
        "ciede2000": _mean(chroma_difference(coloring.a, coloring.b, truth.a, truth.b)),
        "ab_error": ab_error(coloring, truth),
        "colourfulness": colorfulness(coloring.rgb),
    }


def image_properties(lightness: NDArray[np.uint8], truth: Coloring) -> dict[str, NDArray]:
    """Measure n images, (n,) each: mean L*, mean chroma sqrt(a*^2 + b*^2), and texture.

    Texture is the mean absolute difference of L* between pixels that touch by a side: 0 for a flat area. Takes the
    images' codes of L (n, H, W) besides; H, W > 1.
    """
    codes = lightness.astype(np.int16)
    steps = [np.abs(np.diff(codes, axis=axis)).reshape(len(codes), -1) for axis in (1, 2)]
    num_steps = sum(step.shape[1] for step in steps)
    return {
        "lightness": lightness.reshape(len(lightness), -1).mean(axis=1) / LIGHTNESS_SCALE,
        "chroma": _mean(np.hypot(truth.a, truth.b)),
        "texture": sum(step.sum(axis=1) for step in steps) / (num_steps * LIGHTNESS_SCALE),
    }


def mean_color(coloring: Coloring) -> NDArray[np.float64]:
    """Compute mean a*, b* and chroma sqrt(a*^2 + b*^2) of n images, (n, 3)."""
    values = coloring.a, coloring.b, np.hypot(coloring.a, coloring.b)
    return np.stack([_mean(value) for value in values], axis=-1).astype(np.float64)


def tint(colors: NDArray[np.float64]) -> float:
    """Measure how far images of one size share one hue, from their `mean_color` (n, 3): in [0, 1].

    The distance of their mean colour from grey, relative to their mean chroma: 0 when hues balance out, 1 for one hue
    alone, however strong. Grey has 0.
    """
    a, b, chroma = colors.mean(axis=0)
    return float(np.hypot(a, b) / max(chroma, 1e-9))


def psnr(rgb: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute the peak signal-to-noise ratio of 8-bit images (n, H, W, 3) in dB, (n,), at most 100 (equal images)."""
    difference = rgb.astype(np.float32) - truth
    error = _mean(difference * difference).astype(np.float64)
    return np.minimum(100, 10 * np.log10(255**2 / np.maximum(error, 1e-9)))


def colorfulness(rgb: NDArray[np.uint8]) -> NDArray:
    """Compute the colourfulness of RGB images (n, H, W, 3) uint8, (n,), 0 for grey.

    Source: Hasler and Süsstrunk, "Measuring colourfulness in natural images" (2003), equation 3.
    """
    red, green, blue = (rgb[..., channel].reshape(len(rgb), -1).astype(np.float32) for channel in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue  # (n, H x W)
    deviation = np.hypot(red_green.std(axis=1), yellow_blue.std(axis=1))
    return deviation + np.float32(0.3) * np.hypot(red_green.mean(axis=1), yellow_blue.mean(axis=1))


def ab_error(coloring: Coloring, truth: Coloring) -> NDArray:
    """Compute the mean absolute difference of A and B, in codes, of n images: (n,)."""
    return _mean(np.abs(coloring.a - truth.a) + np.abs(coloring.b - truth.b)) / 2


def ab_deviation(truth: Coloring) -> NDArray:
    """Compute the AB error of leaving each image grey, (n,)."""
    return _mean(np.abs(truth.a) + np.abs(truth.b)) / 2


def ab_histogram(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count a*, b* of one shape in 22 x 22 bins over +-110; what lies beyond counts in the outermost bins."""
    rows, columns = (
        np.fmin(np.fmax((values + _BINS * _BIN_WIDTH / 2) / _BIN_WIDTH, 0), _BINS - 1).astype(np.int32)
        for values in (a, b)
    )  # fmin and fmax take no NaN
    return np.bincount((rows * _BINS + columns).ravel(), minlength=_BINS**2).reshape(_BINS, _BINS)


def histogram_distance(counts: NDArray, truth: NDArray) -> float:
    """Compute the total variation distance of two histograms, in [0, 1]: 0 equal, 1 disjoint."""
    return float(np.abs(counts / counts.sum() - truth / truth.sum()).sum() / 2)


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each image, (n, ...) -> (n,)."""
    return values.reshape(len(values), -1).mean(axis=1)
