"""Splits the images into training, validation and test images."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError


def read_inventory(inventory: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read from inventory.csv the mean chroma of each image, and whether it is a copy of an earlier one: (N,) each."""
    with inventory.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        chroma, original = header.index("mean_chroma"), header.index("duplicate_of")
        entries = ((float(row[chroma]), row[original] != "") for row in rows)
        table = np.fromiter(entries, np.dtype([("mean_chroma", np.float64), ("is_copy", np.bool_)]))
    return table["mean_chroma"], table["is_copy"]


def split_images(
    mean_chroma: NDArray[np.float64],
    is_copy: NDArray[np.bool_],
    *,
    train: int,
    validation: int,
    test: int,
    shuffle: bool,
    seed: int,
    min_chroma: float,
    drop_duplicates: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split the images: the first `train` train, the next `test` test, in file order or shuffled by `seed`.

    Of the training images `validation`, drawn by `seed`, validate instead.

    `mean_chroma` and `is_copy` (N,) describe the images. Those with a mean chroma below `min_chroma` are left out. With
    `drop_duplicates` only the first copy of an image takes part, so that no copy of a training image is tested.
    Returns the numbers of the training, validation and test images. Raises UserError when too few images are left.
    """
    takes_part = mean_chroma >= min_chroma
    if drop_duplicates:
        takes_part &= ~is_copy
    kept = np.flatnonzero(takes_part)
    if train + test > len(kept):
        total = len(mean_chroma)
        dropped = f" ({total - len(kept)} of {total} were dropped)" if len(kept) < total else ""
        raise UserError(
            f"split.train + split.test ask for {train} + {test} images but there are {len(kept)}{dropped}: "
            "lower them in params.yaml"
        )
    if shuffle:
        kept = kept[np.random.Generator(np.random.Philox(key=seed)).permutation(len(kept))]
    held_back = np.zeros(train, bool)
    held_back[np.random.Generator(np.random.Philox(key=[seed, 1])).permutation(train)[:validation]] = True
    training = kept[:train]
    return training[~held_back], training[held_back], kept[train : train + test]
