"""Check the raw arrays and take an inventory of the images."""

from pathlib import Path

import numpy as np

from colorizer.core.files import write_columns
from colorizer.core.store import interleave, iterate_store
from colorizer.data.inventory import take_inventory
from colorizer.data.pixel_statistics import check_encoding, measure
from colorizer.data.raw import open_raw
from settings.params import Params
from settings.paths import INVENTORY
from stages.runtime.entry import run_stage


def load(params: Params) -> None:
    raw = open_raw(Path(params.data.root))
    # A look at some images finds a wrong encoding before anything large is written; normalize looks at all.
    look = measure(iterate_store(interleave(*raw.spread())))
    check_encoding(look, max_outside_srgb=params.normalize.max_outside_srgb)
    inventory = take_inventory(raw)
    write_columns(INVENTORY, inventory)
    height, width = raw.image_shape
    duplicates = np.ma.count(inventory["duplicate_of"])
    print(f"load: {raw.num_images} images of {height} x {width}, {duplicates} duplicates")


if __name__ == "__main__":
    run_stage(load)
