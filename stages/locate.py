"""See that data.root holds raw arrays, and say where they belong if it does not.

DVC stops at what it cannot read before the stage that needs it can explain; this stage comes first.
"""

from pathlib import Path

from colorizer.core.files import write_text
from colorizer.data.raw import open_raw
from colorizer.data.raw_files import refuse_unreadable_folders
from settings.params import Params
from settings.paths import LOCATED
from settings.unused_arrays import describe_unused_arrays
from stages.runtime.entry import run_stage


def locate(params: Params) -> None:
    told = []
    if not params.uses_sample:  # which its own stage makes
        root = Path(params.data.root)
        refuse_unreadable_folders(root)
        arrays = open_raw(root)
        height, width = arrays.image_shape
        batches = " + ".join(f"{len(batch):,}" for batch in arrays.chroma)
        told.append(f"{arrays.num_images:,} images of {height} x {width} pixels in {root}, their chroma in {batches}")
    if unused := describe_unused_arrays(params):
        told.append(unused)
    write_text(LOCATED, "data.root holds l/ and ab/\n")
    for line in told:
        print(f"locate: {line}")


if __name__ == "__main__":
    run_stage(locate)
