"""Everything that training needs to go on exactly: both networks, the average, both optimizers."""

from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from colorizer.networks.safetensors_file import read_tensors, write_tensors
from colorizer.training.gan import Adversaries, DivergedError


def save_state(path: Path, adversaries: Adversaries, metadata: dict) -> None:
    """Write the whole state with `metadata` (JSON); `path` appears only when whole."""
    write_tensors(path, _tensors(adversaries), metadata)


def load_state(path: Path, adversaries: Adversaries) -> None:
    """Put the state of `save_state` into networks and optimizers of the same construction.

    Raises DamagedFileError before anything is changed when the file is truncated or was tampered with.
    """
    tensors, _ = read_tensors(path)
    for part, network in _networks(adversaries).items():
        network.load_state_dict(_under(f"{part}/", tensors))
    for part, optimizer in _optimizers(adversaries).items():
        optimizer.state.clear()
        for index, weight in enumerate(_weights(optimizer)):
            stored = _under(f"{part}/{index}/", tensors)
            if stored:  # the discriminator's Adam has none during the epochs of L1 alone
                optimizer.state[weight] = {name: _placed(tensor, weight) for name, tensor in stored.items()}


def check_finite(adversaries: Adversaries) -> None:
    """Raise DivergedError when anything in the state is not finite: losses do not tell of the last update."""
    for name, tensor in _tensors(adversaries).items():
        if not tensor.isfinite().all():
            raise DivergedError(f"training diverged: {name} is not finite")


def _tensors(adversaries: Adversaries) -> dict[str, Tensor]:
    tensors = {
        f"{part}/{name}": tensor
        for part, network in _networks(adversaries).items()
        for name, tensor in network.state_dict().items()
    }
    for part, optimizer in _optimizers(adversaries).items():
        for index, weight in enumerate(_weights(optimizer)):
            for name, tensor in optimizer.state.get(weight, {}).items():
                tensors[f"{part}/{index}/{name}"] = tensor
    return tensors


def _networks(adversaries: Adversaries) -> dict[str, torch.nn.Module]:
    networks = {"generator": adversaries.generator, "discriminator": adversaries.discriminator}
    return networks if adversaries.average is adversaries.generator else networks | {"average": adversaries.average}


def _optimizers(adversaries: Adversaries) -> dict[str, Optimizer]:
    return {
        "generator_optimizer": adversaries.generator_optimizer,
        "discriminator_optimizer": adversaries.discriminator_optimizer,
    }


def _weights(optimizer: Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _placed(tensor: Tensor, weight: Tensor) -> Tensor:
    """On the weight's device and, for moments, in its order in memory, which the fused Adam takes for granted."""
    if tensor.shape == weight.shape:
        return torch.empty_like(weight, requires_grad=False).copy_(tensor)
    return tensor.to(weight.device)
