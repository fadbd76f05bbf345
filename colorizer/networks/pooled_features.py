"""What the pretrained encoder sees in a photograph as a whole: the features for the Fréchet distance."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from colorizer.networks.efficientnet import load_efficientnet_lite0

_SIZE = 128  # shorter side at which the encoder sees every photograph, pixels
_BATCH = 16  # of larger batches, the intermediate values do not fit into a CPU's cache


class PooledFeatures:
    """sRGB images (n, H, W, 3) uint8 -> the mean over all positions of the encoder's last features, (n, 320) float64.

    Images are resized bilinearly to a shorter side of 128 px. Raises UserError when the pretrained weights are missing.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._encoder = load_efficientnet_lite0().requires_grad_(False).to(device)
        self._encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
        scale = _SIZE / min(rgb.shape[1:3])
        size = round(rgb.shape[1] * scale), round(rgb.shape[2] * scale)
        pooled = []
        with torch.inference_mode():
            for start in range(0, len(rgb), _BATCH):
                images = torch.from_numpy(rgb[start : start + _BATCH]).to(self._device).permute(0, 3, 1, 2).float()
                images = functional.interpolate(images, size=size, mode="bilinear", antialias=True)
                pooled.append(self._encoder((images - 127) / 128)[-1].mean(dim=(2, 3)).double().cpu())
        return torch.cat(pooled).numpy()
