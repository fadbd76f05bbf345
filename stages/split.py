"""Choose the images that train, those that choose the epoch, and those that test."""

from pathlib import Path

import pandas as pd

from colorizer.files import write_csv
from colorizer.splitting import split_images
from stages.entry import run_stage
from stages.params import Params


def split(params: Params) -> None:
    options = params.split
    train, validation, test = split_images(
        pd.read_csv("data/inventory.csv", usecols=["image", "mean_chroma", "duplicate_of"]),
        train=options.train,
        validation=options.validation,
        test=options.test,
        shuffle=options.shuffle,
        seed=options.seed,
        min_chroma=options.min_chroma,
        drop_duplicates=options.drop_duplicates,
    )
    write_csv(Path("data/split/train.csv"), train)
    write_csv(Path("data/split/validation.csv"), validation)
    write_csv(Path("data/split/test.csv"), test)
    print(f"split: {len(train)} training, {len(validation)} validation and {len(test)} test images")


if __name__ == "__main__":
    run_stage(split)
