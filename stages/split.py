"""Choose the images that train, those that choose the epoch, and those that test."""

from colorizer.core.files import write_columns
from colorizer.data.splitting import read_inventory, split_images
from settings.params import Params
from settings.paths import INVENTORY, TEST_IMAGES, TRAIN_IMAGES, VALIDATION_IMAGES
from stages.runtime.entry import run_stage


def split(params: Params) -> None:
    options = params.split
    mean_chroma, is_copy, content_hash = read_inventory(INVENTORY)
    train, validation, test = split_images(
        mean_chroma,
        is_copy,
        train=options.train,
        validation=options.validation,
        test=options.test,
        shuffle=options.shuffle,
        seed=options.seed,
        min_chroma=options.min_chroma,
        drop_duplicates=options.drop_duplicates,
    )
    for path, images in ((TRAIN_IMAGES, train), (VALIDATION_IMAGES, validation), (TEST_IMAGES, test)):
        write_columns(path, {"image": images, "content_hash": content_hash[images]})
    print(f"split: {len(train)} training, {len(validation)} validation and {len(test)} test images")


if __name__ == "__main__":
    run_stage(split)
