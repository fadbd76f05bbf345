"""The model that a training begins from, in place of random weights: fine-tuning.

Its generator is the moving average that was saved, and the discriminator is that of the same epoch. Optimizers begin
anew: what they had gathered was about other images.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorizer.core.digests import file_digest
from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.networks.checkpoints import Checkpoint, read_checkpoint
from colorizer.training.gan import GAN

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StartModel:
    """A model to begin from, by the name that params.yaml gives it."""

    name: str
    checkpoint: Checkpoint
    sha256: str

    @property
    def ancestry(self) -> list[dict[str, Any]]:
        """What the models of this training keep as theirs: this one, then those that it began from."""
        parent = {"name": self.name, "epoch": self.checkpoint.metadata["epoch"], "sha256": self.sha256}
        return [parent, *self.checkpoint.ancestry]


def open_start_model(path: Path, name: str | None) -> StartModel | None:
    """Read the model that stage start has put at `path`; None if params.yaml names none."""
    if name is None:
        return None
    if not path.is_file():
        raise UserError(f"{path} is missing: run `dvc repro start`")
    return StartModel(name=name, checkpoint=read_checkpoint(path), sha256=file_digest(path))


def begin_from(start: StartModel, gan: GAN, normalization: Normalization, *, encoded: bool) -> None:
    """Give the networks the weights of the start model.

    `encoded` says whether the features of a frozen encoder were kept, which are those of the pretrained encoder.
    Raises UserError when the networks or their data are of another kind; nothing is changed then.
    """
    checkpoint = start.checkpoint
    theirs = {"encoder": "plain", **checkpoint.metadata["generator"]}
    _refuse_differences(start.name, "generator", {"encoder": "plain", **gan.generator.arguments}, theirs)
    if checkpoint.discriminator is not None:
        theirs = checkpoint.metadata["discriminator"]
        _refuse_differences(start.name, "discriminator", gan.discriminator.arguments, theirs)
    if checkpoint.normalization != normalization:
        raise UserError(
            f"{start.name} was trained with another encoding of its images ({checkpoint.normalization}): begin from "
            "another model"
        )
    if encoded and _has_own_encoder(checkpoint, gan):
        raise UserError(
            f"the encoder of {start.name} has learnt, so it sees other features than stage encode has kept: set "
            "encode.cache_features to false, or train.encoder_learning_rate above 0"
        )
    for network in (gan.generator, gan.ema.module):
        network.load_state_dict(checkpoint.generator)
    if checkpoint.discriminator is not None:
        gan.discriminator.load_state_dict(checkpoint.discriminator)
    elif gan.group.rank == 0:
        logger.warning("%s holds no discriminator, so a new one begins with random weights", start.name)


def all_learnt_from(start: StartModel | None, images: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes of all images that weights have learnt from: of these images, and of the start model's, sorted."""
    before = start.checkpoint.learnt_from if start else None
    return np.unique(images if before is None else np.concatenate([images, before]))


def _has_own_encoder(checkpoint: Checkpoint, gan: GAN) -> bool:
    known = gan.generator.state_dict()
    return any(
        not known[name].cpu().equal(tensor)
        for name, tensor in checkpoint.generator.items()
        if name.startswith("encoder.")
    )


def _refuse_differences(name: str, network: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    for key in (key for key in [*theirs, *ours] if ours.get(key) != theirs.get(key)):
        mine, other = ours.get(key), theirs.get(key)
        if key in ("image_size", "image_shape"):
            raise UserError(
                f"the {network} of {name} was made for images of another size ({_sides(other)}, these have "
                f"{_sides(mine)}): import the images at that size, or begin from another model"
            )
        raise UserError(
            f"train.{network}.{key} is {mine} here, but {other} in {name}: set it to {other}, or begin from another "
            "model"
        )


def _sides(size: Any) -> str:
    return " x ".join(map(str, size)) + " px" if isinstance(size, list) else f"{size} px"
