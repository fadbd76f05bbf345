"""Error against colourfulness: what a model scores when the chroma of its output is multiplied by a constant.

    python -m benchmarks.chroma_gain [MODEL ...] [--gains 1 1.5 2]

Scores the test images of the data in `data/`. The curve of a model trained on L1 alone is a baseline for all others: it
costs nothing, and at a larger error every point of it is more colourful than the one before.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from colorizer.core.lab import NEUTRAL, Predict
from colorizer.core.progress import Progress
from colorizer.core.store import open_store
from colorizer.models.registry import MODEL_PATH
from colorizer.networks.checkpoints import generate_chroma, load_generator
from colorizer.networks.devices import choose_device, choose_precision
from colorizer.networks.pooled_features import PooledFeatures
from colorizer.scoring.evaluation import evaluate_images

GAINS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3]
SCORES = ["psnr", "ssim", "ciede2000", "ab_error"]
SCORES += ["colourfulness", "colourfulness_gap", "histogram_distance", "combined_score", "frechet_distance"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="*", default=[MODEL_PATH], metavar="MODEL")
    parser.add_argument("--gains", type=float, nargs="+", default=GAINS)
    options = parser.parse_args()
    store = open_store(Path("data/lab.npy"))
    images = pd.read_csv("data/split/test.csv")["image"].to_numpy()
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    print(f"| model | gain | {' | '.join(name.replace('_', ' ') for name in SCORES)} |")
    print(f"|---|{'---:|' * (1 + len(SCORES))}")
    for path in options.models:
        generator, normalization, _ = load_generator(path, device)
        predict = partial(generate_chroma, generator, normalization, device=device, precision=precision)
        with Progress("score", total=len(images)) as progress:
            evaluation = evaluate_images(
                store,
                images,
                amplified(predict, options.gains),
                batch_size=64,
                on_images=progress.advance,
                pooled_features=PooledFeatures(device),
            )
        for gain, scores in evaluation.summary().items():
            if gain != "truth":
                print(f"| {path} | {gain} | {' | '.join(f'{scores[name]:.3f}' for name in SCORES)} |", flush=True)


def amplified(predict: Predict, gains: list[float]) -> dict[str, Predict]:
    """A method for every gain; the network is asked once for all of them."""
    latest: dict[bytes, NDArray[np.float32]] = {}

    def colour(lightness: NDArray[np.uint8], gain: float) -> NDArray[np.float32]:
        if (key := lightness.tobytes()) not in latest:
            latest.clear()
            latest[key] = predict(lightness) - NEUTRAL
        return NEUTRAL + np.float32(gain) * latest[key]

    return {f"{gain:g}": partial(colour, gain=gain) for gain in gains}


if __name__ == "__main__":
    main()
