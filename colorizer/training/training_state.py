"""Saves and restores everything that training needs to resume exactly: networks, EMA and optimizers.

Not by torch.save and torch.load: a safetensors file is read without unpickling, and equal states are equal bytes.
"""

from pathlib import Path

import torch
from torch import Tensor

from colorizer.networks.safetensors_file import read_tensors, write_tensors
from colorizer.training.gan import GAN, DivergedError
from colorizer.training.optim import ChannelsLastAdam


def save_state(path: Path, gan: GAN, metadata: dict) -> None:
    """Write the whole state with `metadata` (JSON); `path` appears only when whole."""
    write_tensors(path, _tensors(gan), metadata)


def load_state(path: Path, gan: GAN) -> None:
    """Put the state of `save_state` into networks and optimizers of the same construction.

    Raises DamagedFileError before anything is changed when the file is truncated or was tampered with.
    """
    tensors, _ = read_tensors(path)
    for part, network in _networks(gan).items():
        network.load_state_dict(_under(f"{part}/", tensors))
    for part, optimizer in _optimizers(gan).items():
        optimizer.state.clear()
        for index, weight in enumerate(optimizer.weights):
            stored = _under(f"{part}/{index}/", tensors)
            if stored:  # the discriminator's Adam has none during the epochs of L1 alone
                optimizer.state[weight] = {name: _placed(tensor, weight) for name, tensor in stored.items()}


def check_finite(gan: GAN) -> None:
    """Raise DivergedError if any tensor of the state is not finite.

    The last loss was computed before the last update.
    """
    for name, tensor in _tensors(gan).items():
        if not tensor.isfinite().all():
            raise DivergedError(f"{name} is not finite")


def _tensors(gan: GAN) -> dict[str, Tensor]:
    tensors = {
        f"{part}/{name}": tensor
        for part, network in _networks(gan).items()
        for name, tensor in network.state_dict().items()
    }
    for part, optimizer in _optimizers(gan).items():
        for index, weight in enumerate(optimizer.weights):
            for name, tensor in optimizer.state.get(weight, {}).items():
                tensors[f"{part}/{index}/{name}"] = tensor
    return tensors


def _networks(gan: GAN) -> dict[str, torch.nn.Module]:
    networks: dict[str, torch.nn.Module] = {"generator": gan.generator, "discriminator": gan.discriminator}
    return networks | {"average": gan.ema.module} if gan.ema.decay else networks


def _optimizers(gan: GAN) -> dict[str, ChannelsLastAdam]:
    return {
        "generator_optimizer": gan.generator_optimizer,
        "encoder_optimizer": gan.encoder_optimizer,
        "discriminator_optimizer": gan.discriminator_optimizer,
    }


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _placed(tensor: Tensor, weight: Tensor) -> Tensor:
    """Copy optimizer state to the weight's device; moments get the weight's memory order, as the fused Adam needs."""
    if tensor.shape == weight.shape:
        return torch.empty_like(weight, requires_grad=False).copy_(tensor)
    return tensor.to(weight.device)
