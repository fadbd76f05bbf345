"""Tensors and JSON metadata in one safetensors file with a checksum. Nothing is ever unpickled."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from colorizer.core.safetensors_header import METADATA_KEY


class DamagedFileError(UserError):
    """A file that is truncated, was tampered with, or was never one of this project's."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict) -> None:
    """Write tensors and metadata; `path` appears only when whole. Equal contents are equal bytes."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = json.dumps({"metadata": metadata, "sha256": _digest(stored, metadata)}, sort_keys=True)
    with atomic_write(path) as partial:
        partial.write_bytes(save(stored, {METADATA_KEY: header}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Read and check what `write_tensors` wrote; raises DamagedFileError naming the file and what is wrong."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[METADATA_KEY])
        tensors, metadata = load_file(path), header["metadata"]
        damage = None if header["sha256"] == _digest(tensors, metadata) else "its checksum does not match its contents"
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        damage = f"{type(error).__name__}: {error}"
    if damage:
        raise DamagedFileError(f"{path} is damaged or not of this project ({damage})")
    return tensors, metadata


def _digest(tensors: Mapping[str, Tensor], metadata: dict) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
