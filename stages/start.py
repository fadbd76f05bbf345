"""Fetch the model that the training begins from, if there is one, and refuse one that has learnt from test images."""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from colorizer.core.store import read_content_hashes
from colorizer.models.registry import find_model, find_pinned_name, is_registered
from settings.params import Params
from settings.params_file import write_params
from settings.paths import START_MODEL, TEST_IMAGES
from stages.runtime.entry import run_stage
from stages.runtime.project import repository_root


def start(params: Params) -> None:
    name = params.train.start_from
    if name is None:
        with atomic_write(START_MODEL) as partial:
            partial.write_bytes(save({}))  # no tensors: DVC warns of files that are empty
        print("start: none (train.start_from): the networks begin with random weights")
        return
    file = Path(name)
    if is_registered(name):
        root = repository_root()
        name, given = find_pinned_name(root, name), name
        file = find_model(root, name)
        if name != given:  # what it names may change; DVC reads the params after the stage
            write_params({"train.start_from": name})
            print(f"start: {given} is {name}, which now stands in params.yaml")
    _refuse_test_images(file, name)
    with atomic_write(START_MODEL) as partial:
        shutil.copyfile(file, partial)
    print(f"start: {name}")


def _refuse_test_images(model: Path, name: str) -> None:
    from colorizer.networks.checkpoints import read_checkpoint  # PyTorch takes seconds to import

    learnt_from = read_checkpoint(model).learnt_from
    if learnt_from is None:
        print(f"start: {name} does not say which images it has learnt from: see that none is a test image")
        return
    tested = read_content_hashes(TEST_IMAGES)
    if known := int(np.isin(tested, learnt_from).sum()):
        raise UserError(
            f"{known} of the {len(tested)} test images are among those that {name}, or a model before it, has learnt "
            "from, so scores would be too good: keep test images that it has never seen (split in params.yaml), or "
            "set train.start_from to null"
        )


if __name__ == "__main__":
    run_stage(start)
