"""Cut the built-in sample from photographs and write it in the layout of the raw arrays."""

from pathlib import Path

import numpy as np
import pandas as pd

from colorizer.files import replacing, write_csv
from colorizer.sample import make_sample
from stages.entry import run_stage
from stages.params import SAMPLE_ROOT, Params


def sample(params: Params) -> None:
    options = params.sample
    codes, origins = make_sample(
        size=options.size,
        train=options.train,
        test=options.test,
        min_chroma=options.min_chroma,
        seed=options.seed,
    )
    _save(SAMPLE_ROOT / "l" / "gray_scale.npy", codes[..., 0])
    first, second = len(codes) * 2 // 5, len(codes) * 4 // 5
    for number, batch in enumerate(np.split(codes[..., 1:], [first, second]), start=1):
        _save(SAMPLE_ROOT / "ab" / f"ab{number}.npy", batch)
    rows = [(image, part, name, crop.top, crop.left, crop.side) for image, (part, name, crop) in enumerate(origins)]
    write_csv(
        SAMPLE_ROOT / "crops.csv", pd.DataFrame(rows, columns=["image", "part", "photograph", "top", "left", "side"])
    )
    print(f"sample: {options.train} training and {options.test} test crops of {options.size} px in {SAMPLE_ROOT}")


def _save(path: Path, array: np.ndarray) -> None:
    with replacing(path) as partial:
        np.save(partial, np.ascontiguousarray(array), allow_pickle=False)


if __name__ == "__main__":
    run_stage(sample)
