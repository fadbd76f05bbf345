"""Fetch the model that the training begins from, if there is one, and refuse one that has learnt from test images."""

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write, write_text
from colorizer.core.store import read_content_hashes
from colorizer.models.registry import find_model, is_registered, pin_start_model
from settings.params import Params
from settings.params_file import write_params
from settings.paths import START_MODEL, START_NAME, TEST_IMAGES, VALIDATION_IMAGES
from stages.runtime.entry import run_stage
from stages.runtime.project import repository_root


def start(params: Params) -> None:
    name = params.train.start_from
    if name is None:
        with atomic_write(START_MODEL) as partial:
            partial.write_bytes(save({}))  # no tensors: DVC warns of files that are empty
        _tell_train(name)
        print("start: none (train.start_from): the networks begin with random weights")
        return
    folder = repository_root() if is_registered(name) else Path()
    name, given = pin_start_model(folder, name), name
    file = find_model(folder, name)
    if not file.is_file():
        raise UserError(f"{name}, which train.start_from names, is known to DVC but not here: run `dvc pull {name}`")
    if name != given:  # what it names may change; DVC reads the params after the stage
        write_params({"train.start_from": name})
        print(f"start: {given} is {name}, which now stands in params.yaml")
    _check_images(file, name)
    with atomic_write(START_MODEL) as partial:
        shutil.copyfile(file, partial)
    _tell_train(name)
    print(f"start: {name}")


def _tell_train(name: str | None) -> None:
    write_text(START_NAME, json.dumps({"start_from": name}) + "\n")


def _check_images(model: Path, name: str) -> None:
    from colorizer.networks.checkpoints import read_checkpoint  # PyTorch takes seconds to import

    learnt_from = read_checkpoint(model).learnt_from
    if learnt_from is None:
        print(f"start: {name} does not say which images it has learnt from: see that none is a test image")
        return
    tested, validated = read_content_hashes(TEST_IMAGES), read_content_hashes(VALIDATION_IMAGES)
    if known := int(np.isin(tested, learnt_from).sum()):
        raise UserError(
            f"{known} of the {len(tested)} test images are among those that {name}, or a model before it, has learnt "
            "from, so scores would be too good: keep test images that it has never seen (split in params.yaml), or "
            "set train.start_from to null"
        )
    if known := int(np.isin(validated, learnt_from).sum()):
        print(
            f"start: {name}, or a model before it, has learnt from {known} of the {len(validated)} validation images: "
            "validation scores are too good, those of the test images are not"
        )


if __name__ == "__main__":
    run_stage(start)
