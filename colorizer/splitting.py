"""Which images train, which choose the epoch, which test."""

import numpy as np
import pandas as pd

from colorizer.errors import UserError


def split_images(
    inventory: pd.DataFrame,
    *,
    train: int,
    validation: int,
    test: int,
    shuffle: bool,
    seed: int,
    min_chroma: float,
    drop_duplicates: bool,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Choose `train` and then `test` images, in file order or shuffled by `seed`; `validation` of the training ones,
    drawn by `seed`, are held back to validate.

    Images with a mean chroma below `min_chroma` are left out. With `drop_duplicates` only the first copy of an image
    takes part, so that no copy of a training image is tested.
    Returns the training, validation and test frames with the one column `image`. Raises UserError when too few images
    are left.
    """
    kept = inventory[inventory["mean_chroma"] >= min_chroma]
    if drop_duplicates:
        kept = kept[kept["duplicate_of"].isna()]
    if train + test > len(kept):
        dropped = (
            f" ({len(inventory) - len(kept)} of {len(inventory)} were dropped)" if len(kept) < len(inventory) else ""
        )
        raise UserError(
            f"split.train + split.test ask for {train} + {test} images but there are {len(kept)}{dropped}: "
            "lower them in params.yaml"
        )
    if shuffle:
        order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(kept))
        kept = kept.iloc[order]
    held_back = np.zeros(train, bool)
    held_back[np.random.Generator(np.random.Philox(key=[seed, 1])).permutation(train)[:validation]] = True
    training = kept.iloc[:train][["image"]]
    return training[~held_back], training[held_back], kept.iloc[train : train + test][["image"]]
