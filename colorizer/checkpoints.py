"""The model as a file: safetensors weights with everything needed to use them."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from colorizer.errors import UserError
from colorizer.files import replacing
from colorizer.lab import Normalization
from colorizer.networks import Generator

# One key of safetensors metadata: several would be written in an arbitrary order, and equal models must be equal bytes.
_METADATA_KEY = "colorizer"


def save_generator(path: Path, generator: Generator, normalization: Normalization, *, epoch: int) -> None:
    """Write the generator with its constructor arguments, normalisation and epoch; `path` appears only when whole."""
    metadata = {"generator": generator.arguments, "normalization": asdict(normalization), "epoch": epoch}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()}
    with replacing(path) as partial:
        partial.write_bytes(save(tensors, {_METADATA_KEY: json.dumps(metadata, sort_keys=True)}))


def load_generator(path: Path, device: torch.device) -> tuple[Generator, Normalization, dict]:
    """Read a generator, ready for inference, its normalisation and its metadata.

    Raises UserError when the file is missing or not a generator of this project.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: train a model with `dvc repro train`, or fetch one with `dvc pull {path}`")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
        metadata = json.loads(header[_METADATA_KEY])
        generator = Generator(**metadata["generator"])
        generator.load_state_dict(load_file(path))
        normalization = Normalization(**metadata["normalization"])
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is not a generator of this project ({type(error).__name__}: {error})") from error
    return generator.eval().to(device), normalization, metadata


@torch.inference_mode()
def generate_chroma(
    generator: Generator, normalization: Normalization, lightness: NDArray[np.uint8], device: torch.device
) -> NDArray[np.float32]:
    """Predict colours: L codes (N, H, W) uint8 -> A, B codes (N, H, W, 2) float32 in [0, 256], not rounded."""
    was_training = generator.training
    generator.eval()
    inputs = normalization.lightness(torch.from_numpy(lightness).to(device)[:, None].float())  # (N, 1, H, W)
    chroma = normalization.chroma_codes(generator(inputs))
    generator.train(was_training)
    return chroma.permute(0, 2, 3, 1).float().cpu().numpy()
