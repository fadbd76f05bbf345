"""The model that a training begins from, in place of random weights: fine-tuning.

Its generator is the moving average that was saved, and the discriminator is that of the same epoch. Optimizers begin
anew: what they had gathered was about other images.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from colorizer.core.digests import file_digest
from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.networks.checkpoints import Checkpoint, read_checkpoint
from colorizer.training.gan import GAN

logger = logging.getLogger(__name__)

# Files from before there was a choice do not say it.
_OF_EARLIER_FILES = {"encoder": "plain", "resolution": "full", "hints": False}


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


def open_start_model(path: Path, name_file: Path, name: str | None) -> StartModel | None:
    """Read the model that stage start has put at `path`; None if params.yaml names none.

    `name_file` is what the stage says of it: `{"start_from": "generator@v1.0.0"}`, or null. Raises UserError when there
    is none, or when it is another model than `name`.
    """
    if not path.is_file() or not name_file.is_file():
        raise UserError(f"{name_file} or {path} is missing: run `dvc repro start`")
    fetched = json.loads(name_file.read_text(encoding="utf-8"))["start_from"]
    if fetched != name:
        raise UserError(
            f"train.start_from is {name or 'null'}, but stage start has fetched {fetched or 'no model'}: run "
            "`dvc repro start`"
        )
    if name is None:
        return None
    return StartModel(name=name, checkpoint=read_checkpoint(path), sha256=file_digest(path))


def begin_from(
    start: StartModel, gan: GAN, normalization: Normalization, *, image_shape: tuple[int, int], encoded: bool
) -> None:
    """Give the networks the weights of the start model.

    `image_shape` is that of the training images, (height, width). `encoded` says whether the features of a frozen
    encoder were kept, which are those of the pretrained encoder. Raises UserError when the networks or their data are
    of another kind.
    """
    checkpoint = start.checkpoint
    trained_on = tuple(checkpoint.metadata["image_shape"])
    if trained_on != image_shape:
        raise UserError(
            f"{start.name} was trained on images of {_sides(trained_on)} px, these have {_sides(image_shape)}: import "
            "them at that size, or begin from another model"
        )
    ours, theirs = (_OF_EARLIER_FILES | found for found in (gan.generator.arguments, checkpoint.metadata["generator"]))
    differences = _differences("generator", ours, theirs)
    if checkpoint.discriminator is not None:
        differences += _differences("discriminator", gan.discriminator.arguments, checkpoint.metadata["discriminator"])
    if differences:
        raise UserError(
            f"{start.name} has other networks: {', '.join(differences)}: set what it has, or begin from another model"
        )
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
        _load(network, checkpoint.generator, start.name)
    if checkpoint.discriminator is not None:
        _load(gan.discriminator, checkpoint.discriminator, start.name)
    elif gan.group.rank == 0:
        logger.warning("%s holds no discriminator, so a new one begins with random weights", start.name)


def all_learnt_from(start: StartModel | None, images: NDArray[np.uint64]) -> NDArray[np.uint64] | None:
    """Return the hashes of all images that weights have learnt from: of these images, and of the start model's.

    `images` is (N,) uint64; so is the result, sorted and without copies. None if the start model does not know its
    own: then nobody knows all.
    """
    if start is None:
        return np.unique(images)
    before = start.checkpoint.learnt_from
    return None if before is None else np.unique(np.concatenate([images, before]))


def _has_own_encoder(checkpoint: Checkpoint, gan: GAN) -> bool:
    known = gan.generator.state_dict()
    return any(
        not known[name].cpu().equal(tensor)
        for name, tensor in checkpoint.generator.items()
        if name.startswith("encoder.")
    )


def _differences(network: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """List the params of a network that differ. Its sizes of images are no params, and follow from them."""
    return [
        f"train.{network}.{key} {theirs[key]}" + (f" (here {ours[key]})" if key in ours else "")
        for key in theirs
        if key not in ("image_size", "image_shape") and theirs[key] != ours.get(key)
    ]


def _load(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"{name} has other layers than {type(network).__name__} has in this version of the project: begin from "
            "another model, or use the version of the project that made it"
        ) from error


def _sides(shape: tuple[int, int]) -> str:
    return " x ".join(map(str, shape))
