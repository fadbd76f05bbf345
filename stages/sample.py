"""Cut the built-in sample from photographs and write it in the layout of the raw arrays."""

import pandas as pd

from colorizer.core.files import write_csv
from colorizer.data.raw import write_raw
from colorizer.data.sample import make_sample
from settings.params import SAMPLE_ROOT, Params
from stages.runtime.entry import run_stage


def sample(params: Params) -> None:
    options = params.sample
    codes, origins = make_sample(
        size=options.size,
        train=options.train,
        test=options.test,
        min_chroma=options.min_chroma,
        seed=options.seed,
    )
    write_raw(SAMPLE_ROOT, codes)
    rows = [(image, part, name, crop.top, crop.left, crop.side) for image, (part, name, crop) in enumerate(origins)]
    write_csv(
        SAMPLE_ROOT / "crops.csv", pd.DataFrame(rows, columns=["image", "part", "photograph", "top", "left", "side"])
    )
    print(f"sample: {options.train} training and {options.test} test crops of {options.size} px in {SAMPLE_ROOT}")


if __name__ == "__main__":
    run_stage(sample)
