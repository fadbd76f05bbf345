"""Which device to run on."""

import os

import numpy as np
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


def make_repeatable(device: torch.device) -> None:
    """Ask a GPU for deterministic kernels where it has them. A CPU's are, for the same number of threads."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False  # convolutions would have 10 bits of mantissa
        torch.use_deterministic_algorithms(True, warn_only=True)


def environment(device: torch.device) -> dict[str, str | int]:
    """What of this machine decides the result of a training, besides params, code and data."""
    facts: dict[str, str | int] = {
        "device": device.type,
        "kind": torch.backends.cpu.get_cpu_capability(),
        "precision": "fp32",
        "threads": torch.get_num_threads(),
        "processes": 1,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    if device.type == "cuda":
        facts["kind"] = torch.cuda.get_device_name(device)
        facts |= {"cuda": str(torch.version.cuda), "cudnn": torch.backends.cudnn.version() or 0}
    return facts
