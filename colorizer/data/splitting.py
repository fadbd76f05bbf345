"""Splits the images into training, validation and test images."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError


def read_inventory(inventory: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bytes_]]:
    """Read from inventory.csv three facts about each image, (N,) each.

    These are its mean chroma, whether it is a copy of an earlier one, and the hash of its content (S16).
    """
    with inventory.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        chroma, original, content = (header.index(name) for name in ("mean_chroma", "duplicate_of", "content_hash"))
        entries = ((float(row[chroma]), row[original] != "", row[content].encode()) for row in rows)
        kind = np.dtype([("mean_chroma", np.float64), ("is_copy", np.bool_), ("content_hash", "S16")])
        table = np.fromiter(entries, kind)
    return table["mean_chroma"], table["is_copy"], table["content_hash"]


def split_images(
    mean_chroma: NDArray[np.float64],
    is_copy: NDArray[np.bool_],
    *,
    train: int | float,
    validation: int | float,
    test: int | float,
    shuffle: bool,
    seed: int,
    min_chroma: float,
    drop_duplicates: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split the images: the first `train` train, the next `test` test, in file order or shuffled by `seed`.

    Of the training images `validation`, drawn by `seed`, validate instead. The three are numbers of images, or shares
    between 0 and 1: of the images that take part, and for `validation` of the training images. A share is rounded down,
    but it is one image at least.

    `mean_chroma` and `is_copy` (N,) describe the images. Those with a mean chroma below `min_chroma` are left out. With
    `drop_duplicates` only the first copy of an image takes part, so that no copy of a training image is tested.
    Returns the numbers of the training, validation and test images, int64. Raises UserError when too few are left.
    """
    takes_part = mean_chroma >= min_chroma
    if drop_duplicates:
        takes_part &= ~is_copy
    kept = np.flatnonzero(takes_part)
    num_train, num_test = _number(train, len(kept)), _number(test, len(kept))
    if num_train + num_test > len(kept):
        total = len(mean_chroma)
        dropped = f" ({total - len(kept)} of {total} were dropped)" if len(kept) < total else ""
        raise UserError(
            f"split.train + split.test ask for {num_train} + {num_test} images but there are {len(kept)}{dropped}: "
            "lower them in params.yaml, or write shares of all images: 0.8 and 0.2"
        )
    num_validation = _number(validation, num_train)
    if num_validation >= num_train:
        raise UserError(
            f"split.validation asks for {num_validation} of {num_train} training images, so none would train: lower it"
        )
    if shuffle:
        kept = kept[np.random.Generator(np.random.Philox(key=seed)).permutation(len(kept))]
    held_back = np.zeros(num_train, bool)
    held_back[np.random.Generator(np.random.Philox(key=[seed, 1])).permutation(num_train)[:num_validation]] = True
    training = kept[:num_train]
    return training[~held_back], training[held_back], kept[num_train : num_train + num_test]


def _number(images: int | float, total: int) -> int:
    """The number of images that is meant by a number, or by a share of `total`."""
    if isinstance(images, int):
        return images
    return max(1, int(Fraction(str(images)) * total))  # as it is written: 0.29 x 100 is 28.999... in floats
