"""Makes a folder that a model hub takes: the model, its card, the card's picture, and its configuration."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import torch
from huggingface_hub import ModelCard

from colorizer.console import make_folder
from colorizer.core.digests import file_digest
from colorizer.core.errors import UserError
from colorizer.models.registry import CARD_PATH, EXAMPLES_PATH, MODEL_PATH
from colorizer.networks.checkpoints import load_generator

CONFIG = "config.json"
_DECIDES_THE_NETWORK = ("generator", "normalization", "image_shape", "epoch")  # of the model's metadata


def write_hub_folder(
    out: Path, model: Path, card: Path, examples: Path, *, license: str | None = None, force: bool = False
) -> list[str]:
    """Fill the folder `out` with copies of a model, its card and the card's picture, and return the names of all files.

    `license` is the identifier of the weights' licence for the card; without it the card keeps its own. A new folder
    appears only when whole. In one that holds files, `force` replaces those of these names and leaves the others.
    Raises UserError when `out` holds files and `force` is not set, when a file is damaged, and when the card is about
    another model.
    """
    folder = out.resolve()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{out} is a file: a folder is needed")
    if folder == model.parent.resolve():
        raise UserError(f"{out} holds the model itself: choose another folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UserError(f"{out} holds files: choose another folder, or --force to replace those of a model there")
    if license is not None and not re.fullmatch("[a-z0-9][a-z0-9.+-]*", license):
        raise UserError(f"--license {license}: hubs write licences like apache-2.0, cc-by-4.0 or other")
    _, _, metadata = load_generator(model, torch.device("cpu"))
    text = card.read_text(encoding="utf-8")
    if file_digest(model) not in text:
        raise UserError(f"{card} is about another model than {model}: run `dvc repro`, which writes both")
    names = (MODEL_PATH.name, EXAMPLES_PATH.name, CONFIG, CARD_PATH.name)  # the card comes last, as it names the model
    for name in names:
        if (folder / name).is_dir():
            raise UserError(f"{out / name} is a folder: choose another place for the model")
    there = folder.is_dir()
    make_folder(folder.parent)
    # In the folder itself if there is one: it may be on a disk of its own.
    with tempfile.TemporaryDirectory(prefix=".publish-", dir=folder if there else folder.parent) as place:
        partial = Path(place, "folder")
        partial.mkdir()
        shutil.copyfile(model, partial / MODEL_PATH.name)
        shutil.copyfile(examples, partial / EXAMPLES_PATH.name)
        config = {name: metadata[name] for name in _DECIDES_THE_NETWORK}
        (partial / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (partial / CARD_PATH.name).write_text(_licensed(text, license), encoding="utf-8")
        if there:
            for name in names:
                (partial / name).replace(folder / name)
        else:
            partial.rename(folder)
    return sorted(names)


def _licensed(text: str, license: str | None) -> str:
    """The card with a licence in its header."""
    if license is None:
        return text
    card = ModelCard(text)
    card.data["license"] = license
    return str(card)
