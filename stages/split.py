"""Choose the images that train, those that choose the epoch, and those that test."""

from colorizer.core.files import write_columns
from colorizer.data.splitting import read_inventory, split_images
from settings.params import Params
from settings.paths import INVENTORY, TEST_IMAGES, TRAIN_IMAGES, VALIDATION_IMAGES
from stages.runtime.entry import run_stage


def split(params: Params) -> None:
    options = params.split
    train, validation, test = split_images(
        *read_inventory(INVENTORY),
        train=options.train,
        validation=options.validation,
        test=options.test,
        shuffle=options.shuffle,
        seed=options.seed,
        min_chroma=options.min_chroma,
        drop_duplicates=options.drop_duplicates,
    )
    write_columns(TRAIN_IMAGES, {"image": train})
    write_columns(VALIDATION_IMAGES, {"image": validation})
    write_columns(TEST_IMAGES, {"image": test})
    print(f"split: {len(train)} training, {len(validation)} validation and {len(test)} test images")


if __name__ == "__main__":
    run_stage(split)
