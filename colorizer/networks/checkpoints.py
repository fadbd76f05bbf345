"""The model as a file: a generator's weights with everything needed to use them and to know where they come from.

The file also holds what a later training may go on from: the discriminator of the same epoch, and hashes of all images
that the weights have learnt from, so that none of them is taken for a test image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.networks.devices import Precision, autocast
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.generator import Generator, rebuild_generator
from colorizer.networks.layers import normalized_hints
from colorizer.networks.safetensors_file import DamagedFileError, read_tensors, write_tensors

_DISCRIMINATOR = "discriminator/"  # before the names of its tensors
_LEARNT_FROM = "learnt_from"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What the file of a model holds.

    generator, discriminator: their tensors by name; files of version 1 hold no discriminator (None). learnt_from:
    64-bit hashes of the contents of all images that the weights have learnt from, (K,) uint64, sorted; None in files of
    version 1. metadata: see `save_generator`.
    """

    generator: Mapping[str, Tensor]
    discriminator: Mapping[str, Tensor] | None
    learnt_from: NDArray[np.uint64] | None
    metadata: dict[str, Any]

    @property
    def normalization(self) -> Normalization:
        return Normalization(**self.metadata["normalization"])

    @property
    def ancestry(self) -> list[dict[str, Any]]:
        """The models that the training began from, the latest first: `name`, `epoch` and `sha256` of the file."""
        return self.metadata.get("ancestry", [])


def save_generator(
    path: Path,
    generator: Generator,
    normalization: Normalization,
    *,
    image_shape: tuple[int, int],
    epoch: int,
    scores: dict,
    facts: dict,
    discriminator: Discriminator | None = None,
    learnt_from: NDArray[np.uint64] | None = None,
    ancestry: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the generator with its constructor arguments and normalisation; `path` appears only when whole.

    The metadata also says the shape (H, W) of the training images, the epoch, its scores on the validation images (or
    none), and the facts that decided the training: params, code, data, environment. `discriminator`, `learnt_from` and
    `ancestry` are as in `Checkpoint`.
    """
    metadata = {
        "generator": generator.arguments,
        "normalization": asdict(normalization),
        "image_shape": list(image_shape),
        "epoch": epoch,
        "scores": scores,
        "training": facts,
        "ancestry": list(ancestry),
    }
    tensors = generator.state_dict()
    if discriminator is not None:
        metadata["discriminator"] = discriminator.arguments
        tensors |= {_DISCRIMINATOR + name: tensor for name, tensor in discriminator.state_dict().items()}
    if learnt_from is not None:
        tensors[_LEARNT_FROM] = torch.from_numpy(learnt_from.view(np.int64))
    write_tensors(path, tensors, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the file of a model. Raises UserError when it is missing, damaged or not a generator of this project."""
    if not path.is_file():
        raise UserError(f"{path} is missing: is the name right? `dvc repro train` makes the models in models/")
    tensors, metadata = read_tensors(path)
    if "generator" not in metadata:
        raise DamagedFileError(f"{path} is not a generator of this project (it names none)")
    if "halvings" in metadata["generator"]:  # as files of version 1.0 call it
        metadata["generator"]["num_downs"] = metadata["generator"].pop("halvings")
    learnt_from = tensors.pop(_LEARNT_FROM, None)
    discriminator = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_DISCRIMINATOR)}
    return Checkpoint(
        generator=tensors,
        discriminator={name.removeprefix(_DISCRIMINATOR): tensor for name, tensor in discriminator.items()} or None,
        learnt_from=None if learnt_from is None else learnt_from.numpy().view(np.uint64),
        metadata=metadata,
    )


def load_generator(path: Path, device: torch.device) -> tuple[Generator, Normalization, dict]:
    """Read a generator, ready for inference, its normalisation and its metadata.

    Raises UserError when the file is missing, damaged or not a generator of this project.
    """
    checkpoint = read_checkpoint(path)
    try:
        generator = rebuild_generator(**checkpoint.metadata["generator"])
        generator.load_state_dict(checkpoint.generator)
        normalization = checkpoint.normalization
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DamagedFileError(
            f"{path} is not a generator of this project ({type(error).__name__}: {reason})"
        ) from error
    generator = generator.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return generator, normalization, checkpoint.metadata


@torch.inference_mode()
def generate_chroma(
    generator: Generator,
    normalization: Normalization,
    lightness: NDArray[np.uint8],
    device: torch.device,
    precision: Precision = "fp32",
    hints: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32]:
    """Predict colours: L codes (N, H, W) uint8 -> A, B codes (N, H, W, 2) float32 in [0, 256], not rounded.

    A generator that takes hints may get some (N, H, W, 3).
    """
    was_training = generator.training
    generator.eval()
    inputs = normalization.lightness(torch.from_numpy(lightness).to(device)[:, None].float())  # (N, 1, H, W)
    known = []
    if hints is not None:
        planes = torch.from_numpy(hints).to(device).permute(0, 3, 1, 2).float()
        known = [normalized_hints(planes, normalization)]
    with autocast(precision, device):
        generated = generator(inputs, *known).float()
    chroma = normalization.chroma_codes(generated)
    generator.train(was_training)
    return chroma.permute(0, 2, 3, 1).cpu().numpy()
