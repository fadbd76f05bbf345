"""Check the raw arrays and take an inventory of the images."""

from pathlib import Path

from colorizer.files import write_csv
from colorizer.inventory import take_inventory
from colorizer.raw import open_raw
from colorizer.statistics import check_encoding, measure
from colorizer.store import interleave
from stages.entry import run_stage
from stages.params import Params


def load(params: Params) -> None:
    raw = open_raw(Path(params.data.root))
    # A look at some images finds a wrong encoding before anything large is written; normalize looks at all.
    check_encoding(measure([interleave(*raw.spread())]), max_outside_srgb=params.normalize.max_outside_srgb)
    inventory = take_inventory(raw)
    write_csv(Path("data/inventory.csv"), inventory)
    height, width = raw.image_shape
    print(f"load: {len(inventory)} images of {height} x {width}, {inventory['duplicate_of'].notna().sum()} duplicates")


if __name__ == "__main__":
    run_stage(load)
