"""Scores of photographs at their full size: made grey, coloured as `colorize` does, and compared with the originals.

    python -m benchmarks.full_size FOLDER MODEL ... [--strength 1 1.1]

Photographs of any sizes count alike, but for the AB histogram, in which every pixel does.
"""

import argparse
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorizer.core.lab import NEUTRAL, Predict, codes_to_rgb, grey_codes, rgb_to_codes
from colorizer.core.progress import Progress
from colorizer.models.model import Model, load_model
from colorizer.networks.devices import choose_device
from colorizer.networks.pooled_features import PooledFeatures
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.files import find_photographs
from colorizer.photographs.photographs import Photograph
from colorizer.scoring.evaluation import Evaluation, constant_chroma, evaluate_images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--strength", type=float, nargs="+", default=[1.0])
    options = parser.parse_args()
    codes = [rgb_to_codes(read_photograph(path).rgb) for path, _ in find_photographs(options.folder)]
    methods: dict[str, Predict] = {
        f"{path} | {strength:g}": partial(colored, model, strength)
        for path in options.models
        for model in [load_model(path)]
        for strength in options.strength
    }
    methods["grey | "] = constant_chroma((NEUTRAL, NEUTRAL))
    parts, pooled_features = [], PooledFeatures(choose_device("auto"))
    with Progress("score", total=len(codes)) as progress:
        for _, group in groupby(sorted(codes, key=np.shape), key=np.shape):
            same_size = np.stack(list(group))
            part = evaluate_images(
                same_size,
                np.arange(len(same_size)),
                methods,
                batch_size=4,
                on_images=progress.advance,
                pooled_features=pooled_features,
            )
            parts.append(part)
    summary = pooled(parts).summary()
    scores = list(summary["grey | "])
    print(f"| model | strength | {' | '.join(score.replace('_', ' ') for score in scores)} |")
    print(f"|---|{'---:|' * (1 + len(scores))}")
    for name in methods:
        print(f"| {name} | {' | '.join(f'{summary[name][score]:.3f}' for score in scores)} |")
    print(f"true colourfulness {summary['truth']['colourfulness']:.1f}, tint {summary['truth']['tint']:.2f}")


def colored(model: Model, strength: float, lightness: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colour photographs, codes of L (n, H, W), at their full size: codes of A and B (n, H, W, 2)."""
    colorizer = Colorizer(model=model, size=model.info.training_size, strength=strength)
    greys = [Photograph(pixels=codes_to_rgb(grey_codes(np.dstack([codes] * 3)))) for codes in lightness]
    return np.stack([rgb_to_codes(colorizer(grey).rgb)[..., 1:] for grey in greys]).astype(np.float32)


def pooled(parts: list[Evaluation]) -> Evaluation:
    """Take evaluations of photographs of several sizes for one."""

    def join(name: str) -> dict[str, NDArray]:
        return {key: np.concatenate([getattr(part, name)[key] for part in parts]) for key in getattr(parts[0], name)}

    histograms = {method: np.sum([part.histograms[method] for part in parts], axis=0) for method in parts[0].histograms}
    return Evaluation(columns=join("columns"), histograms=histograms, colors=join("colors"), features=join("features"))


if __name__ == "__main__":
    main()
