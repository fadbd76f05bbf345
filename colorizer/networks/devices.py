"""Chooses the device and the floating-point precision to compute in."""

import os
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
import torch

from colorizer.core.errors import UserError
from colorizer.core.memory import keep_freed_memory

Precision = Literal["fp32", "bf16"]
PrecisionOrAuto = Literal["auto", "fp32", "bf16"]


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is the GPU if there is one, else the CPU.

    Raises UserError for `cuda` without a usable GPU.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "the device is cuda but PyTorch finds no GPU: take auto or cpu, or install a CUDA build of torch"
        )
    return torch.device(name)


def choose_precision(name: PrecisionOrAuto, device: torch.device) -> Precision:
    """Resolve the precision: `auto` is bf16 where the device is faster in bf16 than in fp32, else fp32."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    abilities = torch.cpu.get_capabilities()
    return "bf16" if abilities.get("avx512_bf16") or abilities.get("amx_bf16") else "fp32"


def open_device(name: str, precision: PrecisionOrAuto) -> tuple[torch.device, Precision]:
    """Choose device and precision, and prepare the process: deterministic kernels on a GPU, freed memory kept on a CPU.

    Raises the errors of `choose_device`.
    """
    device = choose_device(name)
    make_deterministic(device)
    if device.type == "cpu":
        keep_freed_memory()
    return device, choose_precision(precision, device)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager:
    """Return a context in which networks compute in this precision.

    Weights, batch norm statistics and losses stay float32. Enter a new context after each change of the weights,
    because it caches the rounded weights.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def make_deterministic(device: torch.device) -> None:
    """Ask a GPU for deterministic kernels where it has them.

    CPU kernels are deterministic for a given number of threads.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False  # convolutions would have 10 bits of mantissa
        torch.use_deterministic_algorithms(True, warn_only=True)


def environment(device: torch.device, precision: Precision, processes: int) -> dict[str, str | int]:
    """Collect what influences a training's result on this machine: device, precision, threads, processes, versions."""
    facts: dict[str, str | int] = {
        "device": device.type,
        "kind": torch.backends.cpu.get_cpu_capability(),
        "precision": precision,
        "threads": torch.get_num_threads(),
        "processes": processes,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    if device.type == "cuda":
        facts["kind"] = torch.cuda.get_device_name(device)
        facts |= {"cuda": str(torch.version.cuda), "cudnn": torch.backends.cudnn.version() or 0}
    return facts
