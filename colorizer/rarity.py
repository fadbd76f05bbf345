"""How much L1 weighs a colour, by how rare it is among the training images.

Source: the class rebalancing of Zhang et al., "Colorful Image Colorization" (2016), on an L1 loss.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BINS, _BIN_WIDTH = 22, 10  # of a*, b* over +-110, with codes that are whole steps of them


def rarity_weights(chroma: NDArray[np.uint8], rarity: float) -> Tensor:
    """Weights (22, 22) float32 of the bins of a*, b*, from true codes of A and B (n, H, W, 2); their mean is 1.

    The weight is the inverse of a mixture of the bin's frequency (`rarity` of it) and of the uniform distribution over
    the bins that occur (1 - `rarity`): at 0 all weigh alike; the paper's is 0.5.
    """
    bins = _bins(torch.from_numpy(chroma.reshape(-1, 2).astype(np.float32)).T - 128)
    frequencies = torch.bincount(bins, minlength=_BINS**2).float() / len(bins)
    occurring = (frequencies > 0).float() / (frequencies > 0).sum()
    weights = 1 / (rarity * frequencies + (1 - rarity) * occurring).clamp(min=1e-9) * (frequencies > 0)
    return (weights / (weights * frequencies).sum()).reshape(_BINS, _BINS)


def weights_of(chroma: Tensor, weights: Tensor) -> Tensor:
    """Of every pixel of normalised chroma (N, 2, H, W): (N, 1, H, W)."""
    return weights.flatten()[_bins(chroma.movedim(1, 0) * 128)][:, None]


def _bins(ab: Tensor) -> Tensor:
    """(2, ...) -> (...)"""
    index = ((ab + _BINS * _BIN_WIDTH / 2) / _BIN_WIDTH).long().clamp(0, _BINS - 1)
    return index[0] * _BINS + index[1]
