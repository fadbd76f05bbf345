"""Spreads hints without a network: along pixels of like lightness.

Source: Levin, Lischinski, Weiss, "Colorization using Optimization" (2004).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from colorizer.core.lab import NEUTRAL

_STEPS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]
_SHARPNESS = 0.6  # share of the variance in the weights' exponent, as in the authors' own program
_NOISE = 1 / 12  # variance of rounding to whole codes of L: smaller ones tell nothing


def neighbour_weights(lightness: NDArray[np.uint8]) -> sparse.csr_array:
    """Weigh the neighbours of every pixel by how like their lightness is, (H x W, H x W), from codes of L (H, W).

    Row r has weights exp(-(L_s - L_r)^2 / (0.6 variance_r)) of the up to 8 neighbours s in the 3 x 3 window around r,
    divided by their sum. variance_r is that of L around its mean in the window.
    """
    height, width = lightness.shape
    padded = np.pad(lightness.astype(np.float64), 1)
    inside = np.pad(np.ones(lightness.shape, bool), 1)
    shifted = [np.s_[1 + down : 1 + down + height, 1 + right : 1 + right + width] for down, right in [(0, 0), *_STEPS]]
    windows = np.stack([padded[place] for place in shifted])  # (9, H, W); the first is the middle, padding is 0
    exists = np.stack([inside[place] for place in shifted])
    count = exists.sum(axis=0)
    deviation = (windows - windows.sum(axis=0) / count) * exists
    variance = np.maximum((deviation**2).sum(axis=0) / count, _NOISE)
    weights = np.exp(-((windows[1:] - windows[0]) ** 2) / (_SHARPNESS * variance)) * exists[1:]
    weights /= weights.sum(axis=0)

    pixels = np.arange(height * width).reshape(height, width)
    offsets = np.array([down * width + right for down, right in _STEPS])
    neighbours = pixels + offsets[:, None, None]
    kept = exists[1:]
    rows = np.broadcast_to(pixels, kept.shape)[kept]
    return sparse.csr_array((weights[kept], (rows, neighbours[kept])), shape=(height * width, height * width))


def spread_hints(weights: sparse.csr_array, hints: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Spread hints (H, W, 3) over the image of these `neighbour_weights`: codes of A and B (H, W, 2), not rounded.

    Hints keep their colour; every other pixel gets the weighted mean of its neighbours. So no colour lies outside the
    range of the hints, one colour alone fills the image, and without any the image is grey.
    """
    known = hints[..., 2].ravel() > 0
    chroma = np.full((known.size, 2), NEUTRAL, np.float64)
    chroma[known] = hints[..., :2].reshape(-1, 2)[known]
    if known.any():
        chroma[~known] = _solved(weights, known, chroma[known])
    return chroma.reshape(*hints.shape[:2], 2).astype(np.float32)


def _solved(weights: sparse.csr_array, known: NDArray[np.bool_], colors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The colours (U, 2) of the pixels that are not known, from those that are, (K, 2)."""
    if known.all() or (colors == colors[0]).all():
        return np.broadcast_to(colors[0], ((~known).sum(), 2))
    rows = weights[~known]
    system = sparse.eye_array(rows.shape[0], format="csc") - rows[:, ~known].tocsc()
    # Diagonally dominant: it needs no pivoting, and the ordering for symmetric systems fills in least. At 64 and at
    # 224 px this is quicker than iterating: conjugate gradients take seconds, the weights differ too much.
    options = {"SymmetricMode": True}
    factors = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    return factors.solve(rows[:, known] @ colors)
