"""How good a colouring is, per image and over all images.

PSNR and SSIM are taken on 8-bit sRGB, CIEDE2000 on L*, a*, b*, the AB error on codes. Predictions and truth share
the same lightness.
"""

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from colorizer.lab import NEUTRAL, codes_to_lab, lab_to_rgb

# Pooled histograms of a*, b*: 22 x 22 bins of 10 over +-110, as in Zhang et al., "Colorful Image Colorization" (2016).
_HISTOGRAM_EDGES = np.linspace(-110, 110, 23)


def score_image(codes: NDArray[np.float32], truth: NDArray[np.uint8]) -> dict[str, float]:
    """All scores of one image: predicted codes (H, W, 3), float and not rounded, against true codes (H, W, 3)."""
    lab, true_lab = codes_to_lab(codes), codes_to_lab(truth)
    rgb, true_rgb = lab_to_rgb(lab), lab_to_rgb(true_lab)
    return {
        "psnr": psnr(rgb, true_rgb),
        "ssim": ssim(rgb, true_rgb),
        "ciede2000": float(deltaE_ciede2000(lab, true_lab).mean()),
        "ab_error": float(np.abs(codes[..., 1:] - truth[..., 1:]).mean()),
        "colourfulness": colourfulness(rgb),
    }


def psnr(rgb: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two 8-bit images in dB, at most 100 (equal images)."""
    error = np.mean((rgb.astype(np.float64) - truth) ** 2)
    return 100.0 if error == 0 else float(min(100.0, 10 * np.log10(255**2 / error)))


def ssim(rgb: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Structural similarity of two 8-bit RGB images (H, W, 3), in [-1, 1]; Wang et al. (2004), windows up to 7 x 7."""
    window = min(7, *(side - 1 + side % 2 for side in rgb.shape[:2]))  # odd
    return float(structural_similarity(rgb, truth, win_size=window, channel_axis=-1, data_range=255))


def colourfulness(rgb: NDArray[np.uint8]) -> float:
    """Colourfulness of an 8-bit RGB image (H, W, 3), 0 for grey; Hasler and Süsstrunk (2003), equation 3."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    deviation = np.hypot(red_green.std(), yellow_blue.std())
    return float(deviation + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def ab_histogram(codes: NDArray) -> NDArray[np.float64]:
    """Counts of a*, b* of codes (..., 3) in 22 x 22 bins over +-110; what lies beyond counts in the outermost bins."""
    ab = np.clip(codes[..., 1:].reshape(-1, 2).astype(np.float64) - NEUTRAL, -110, 110)
    return np.histogram2d(ab[:, 0], ab[:, 1], bins=(_HISTOGRAM_EDGES, _HISTOGRAM_EDGES))[0]


def histogram_distance(counts: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Total variation distance of two histograms, in [0, 1]."""
    return float(np.abs(counts / counts.sum() - truth / truth.sum()).sum() / 2)
