"""The model as a file: a generator's weights with everything needed to use them and to know where they come from."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.networks.devices import Precision, autocast
from colorizer.networks.generator import Generator, rebuild_generator
from colorizer.networks.safetensors_file import DamagedFileError, read_tensors, write_tensors


def save_generator(
    path: Path,
    generator: Generator,
    normalization: Normalization,
    *,
    image_shape: tuple[int, int],
    epoch: int,
    scores: dict,
    facts: dict,
) -> None:
    """Write the generator with its constructor arguments and normalisation; `path` appears only when whole.

    The metadata also says the shape (H, W) of the training images, the epoch, its scores on the validation images (or
    none), and the facts that decided the training: params, code, data, environment.
    """
    metadata = {
        "generator": generator.arguments,
        "normalization": asdict(normalization),
        "image_shape": list(image_shape),
        "epoch": epoch,
        "scores": scores,
        "training": facts,
    }
    write_tensors(path, generator.state_dict(), metadata)


def load_generator(path: Path, device: torch.device) -> tuple[Generator, Normalization, dict]:
    """Read a generator, ready for inference, its normalisation and its metadata.

    Raises UserError when the file is missing, damaged or not a generator of this project.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: is the name right? `dvc repro train` makes the models in models/")
    tensors, metadata = read_tensors(path)
    try:
        arguments = metadata["generator"]
        if "halvings" in arguments:  # as files of version 1.0 call it
            arguments["num_downs"] = arguments.pop("halvings")
        generator = rebuild_generator(**arguments)
        generator.load_state_dict(tensors)
        normalization = Normalization(**metadata["normalization"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DamagedFileError(
            f"{path} is not a generator of this project ({type(error).__name__}: {reason})"
        ) from error
    generator = generator.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return generator, normalization, metadata


@torch.inference_mode()
def generate_chroma(
    generator: Generator,
    normalization: Normalization,
    lightness: NDArray[np.uint8],
    device: torch.device,
    precision: Precision = "fp32",
) -> NDArray[np.float32]:
    """Predict colours: L codes (N, H, W) uint8 -> A, B codes (N, H, W, 2) float32 in [0, 256], not rounded."""
    was_training = generator.training
    generator.eval()
    inputs = normalization.lightness(torch.from_numpy(lightness).to(device)[:, None].float())  # (N, 1, H, W)
    with autocast(precision, device):
        generated = generator(inputs).float()
    chroma = normalization.chroma_codes(generated)
    generator.train(was_training)
    return chroma.permute(0, 2, 3, 1).cpu().numpy()
