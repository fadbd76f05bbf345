"""Which device to run on."""

import torch

from colorizer.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU when there is one, else the CPU. Raises UserError for `cuda` without a usable GPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "train.device is cuda but PyTorch finds no GPU: set it to auto or cpu, or install a CUDA build of torch"
        )
    return torch.device(name)
