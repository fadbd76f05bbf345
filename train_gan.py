"""Train, and be asked after every epoch: save this model? another learning rate? stop here?

Asking is a param, not an environment variable, because DVC runs a stage again only when something declared changes.
Arrays in data/ are taken up, with the preset made for them, while params.yaml is as it comes with the project.
"""

import argparse
import os
import sys
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.core.safetensors_header import read_metadata
from colorizer.data.raw import open_raw
from colorizer.models.environment import child_environment
from settings import paths
from settings.params import Params
from settings.params_file import PARAMS_FILE, read_params, write_params
from settings.unused_arrays import OWN_ROOT, choose_preset, describe_unused_arrays

AS_DELIVERED = Path("presets/sample.yaml")
ASKING = {"train.ask": True}  # answers are recorded in train.decisions; empty that to be asked anew


def set_params() -> None:
    """Write params.yaml for a training that asks: on the arrays in data/ if there are any, or else as it is."""
    params = read_params()
    unused = params.uses_sample and describe_unused_arrays(params)
    if not unused:
        write_params(ASKING)
        return
    arrays = open_raw(OWN_ROOT)
    if _without_asking(params) != _without_asking(read_params(AS_DELIVERED)):
        raise UserError(f"{unused} (this replaces your settings in {PARAMS_FILE}); or move the arrays away")
    preset = choose_preset(max(arrays.image_shape))
    write_params(ASKING, base=preset)
    height, width = arrays.image_shape
    print(
        f"train_gan: {arrays.num_images:,} images of {height} x {width} pixels lie in {OWN_ROOT}/: "
        f"training on them with {preset}, which is now in {PARAMS_FILE}",
        file=sys.stderr,
        flush=True,
    )


def _without_asking(params: Params) -> Params:
    return params.model_copy(update={"train": params.train.model_copy(update={"ask": False})})


def train() -> int:
    """Run `dvc repro train`, in this process, so that whatever ends this ends it too; returns the exit code.

    At the end, say which epoch became the model, and what comes next.
    """
    environment = child_environment()
    os.environ.clear()
    os.environ.update(environment)
    from dvc.cli import main  # it takes seconds, which --help does without

    code = main(["repro", "train"])
    if code == 0:
        model = read_metadata(paths.MODEL)
        chosen = f"{paths.MODEL} is that of epoch {model['epoch']}"
        if model["scores"]:
            criterion = model["training"]["params"]["train.monitor"]
            chosen += f", validation {criterion.replace('_', ' ')} {model['scores'][criterion]:.3f}"
        advice = "to score it on the test images: dvc repro"
        print(f"train_gan: {chosen}; {advice}", file=sys.stderr)
    return code


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args()
    try:
        set_params()
    except UserError as error:
        sys.exit(f"train_gan: {error}")
    sys.exit(train())
