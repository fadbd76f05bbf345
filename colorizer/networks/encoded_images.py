"""What a frozen encoder sees in the training images, computed once before the training instead of in every epoch."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.networks.devices import Precision, autocast
from colorizer.networks.pretrained_unet import PretrainedUNet

_BATCH = 16  # images; of larger batches, the encoder's intermediate values do not fit into a CPU's cache


def encode_images(
    generator: PretrainedUNet,
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    normalization: Normalization,
    *,
    flip: bool,
    device: torch.device,
    precision: Precision,
    on_images: Callable[[int], None],
) -> Iterator[NDArray[np.float16]]:
    """Yield the features of images of the store (N, H, W, 3), in chunks (n, D).

    With `flip`, those of all images mirrored left to right come after them. `on_images` is told how many more images
    are done.
    """
    generator = generator.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for mirrored in (False, True) if flip else (False,):
        for start in range(0, len(images), _BATCH):
            codes = store[images[start : start + _BATCH], :, :, 0]
            lightness = torch.from_numpy(codes[:, :, ::-1].copy() if mirrored else codes).to(device)
            with torch.inference_mode(), autocast(precision, device):
                encoded = generator.encode(normalization.lightness(lightness[:, None].float()))
            yield encoded.half().cpu().numpy()
            on_images(len(encoded))


def open_encoded(path: Path, *, num_images: int, flip: bool, num_features: int) -> NDArray[np.float16] | None:
    """Memory-map the features of all training images: (N, D), or (2 N, D) with those of the mirrored images at the end.

    Returns None when the file holds none: the encoder is not frozen, or they are not to be kept. Raises UserError when
    it is missing or holds features of other images or of another encoder.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: run `dvc repro encode`")
    encoded = np.load(path, mmap_mode="r", allow_pickle=False)
    if not encoded.size:
        return None
    if encoded.shape != (num_images * (2 if flip else 1), num_features):
        raise UserError(f"{path} holds features of other images or another encoder: run `dvc repro encode`")
    return encoded
