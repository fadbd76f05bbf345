"""Notices raw arrays in data/ that data.root does not name, and chooses the preset that is made for them."""

import os
from pathlib import Path

import numpy as np

from settings.params import Params

OWN_ROOT = Path("data")
LARGEST_SMALL_SIDE = 128  # pixels; presets are made for 64 and for 224


def describe_unused_arrays(params: Params) -> str | None:
    """Say in one line that data/l or data/ab hold arrays that data.root does not name, and which command takes them.

    None if there are no such arrays. Only the first bytes of data/l/gray_scale.npy are read.
    """
    is_used = os.path.realpath(params.data.root) == os.path.realpath(OWN_ROOT)
    if is_used or not any(next(OWN_ROOT.glob(pattern), None) for pattern in ("l/*.npy", "ab/*.npy", "ab/ab/*.npy")):
        return None
    seen = f"arrays lie in {OWN_ROOT}/ but data.root is {params.data.root}, so they are not used"
    to_use_them = f"{seen}: set data.root to {OWN_ROOT} in params.yaml to use them"
    if not params.uses_sample:  # somebody has chosen
        return to_use_them
    try:
        num_images, height, width, *_ = np.lib.format.open_memmap(OWN_ROOT / "l/gray_scale.npy", mode="r").shape
    except (OSError, ValueError):
        return to_use_them
    preset = choose_preset(max(height, width))
    return (
        f"{seen}: for these {num_images:,} images of {height} x {width} pixels, `cp {preset} params.yaml && dvc repro`"
    )


def choose_preset(side: int) -> Path:
    """Choose the preset for training images with a longer side of `side` pixels."""
    return Path("presets/best.yaml" if side <= LARGEST_SMALL_SIDE else "presets/best224.yaml")
