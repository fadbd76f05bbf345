"""How well one or more methods colour held-out images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from colorizer.lab import NEUTRAL, codes_to_rgb
from colorizer.metrics import ab_histogram, colourfulness, histogram_distance, score_image

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of every image, and pooled AB histograms (22, 22).

    `scores` has one row per image: `image`, `<method>_<score>` for every method, `truth_colourfulness`, and
    `truth_ab_deviation`, the AB error of a grey image.
    `histograms` is keyed by method and `truth`.
    """

    scores: pd.DataFrame
    histograms: dict[str, NDArray[np.float64]]

    def summary(self) -> dict[str, dict[str, float]]:
        """Per method: mean of every score, colourfulness gap |out - truth| / truth, histogram distance, balance.

        The balance is AB error relative to leaving the image grey + histogram distance: error alone rewards dull
        colours, the histogram alone colours in the wrong places.
        """
        means = self.scores.mean()
        true_colourfulness = means["truth_colourfulness"]
        result = {}
        for method in (name for name in self.histograms if name != "truth"):
            names = [name for name in self.scores.columns if name.startswith(f"{method}_")]
            summary = {name.removeprefix(f"{method}_"): means[name] for name in names}
            summary["colourfulness_gap"] = abs(summary["colourfulness"] - true_colourfulness) / max(
                true_colourfulness, 1e-9
            )
            summary["histogram_distance"] = histogram_distance(self.histograms[method], self.histograms["truth"])
            relative_error = summary["ab_error"] / max(means["truth_ab_deviation"], 1e-9)
            summary["balance"] = relative_error + summary["histogram_distance"]
            result[method] = {name: round(float(value), 4) for name, value in summary.items()}
        result["truth"] = {"colourfulness": round(float(true_colourfulness), 4)}
        return result

    def ranked(self) -> NDArray[np.int64]:
        """The images from the model's smallest to its largest CIEDE2000."""
        return self.scores.sort_values(["model_ciede2000", "image"])["image"].to_numpy()


def constant_chroma(chroma: tuple[float, float]) -> Predict:
    """The method that gives every pixel the same codes of A and B: the baselines."""
    return lambda lightness: np.broadcast_to(np.array(chroma, np.float32), (*lightness.shape, 2))


def evaluate_images(
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    methods: dict[str, Predict],
    *,
    batch_size: int,
    on_images: Callable[[int], None],
) -> Evaluation:
    """Score every method on images of the store (N, H, W, 3).

    A method turns L codes (n, H, W) uint8 into A, B codes (n, H, W, 2) float32. `on_images` is told how many more
    images are done.
    """
    rows = []
    histograms = {name: np.zeros((22, 22)) for name in (*methods, "truth")}
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        truth = store[batch]  # (n, H, W, 3)
        predictions = {name: predict(truth[..., 0]) for name, predict in methods.items()}
        for index, image in enumerate(batch):
            row = {
                "image": image,
                "truth_colourfulness": colourfulness(codes_to_rgb(truth[index])),
                "truth_ab_deviation": np.abs(truth[index][..., 1:].astype(np.float64) - NEUTRAL).mean(),
            }
            histograms["truth"] += ab_histogram(truth[index])
            for method in methods:
                codes = np.concatenate([truth[index][..., :1], predictions[method][index]], axis=-1)
                row |= {f"{method}_{name}": score for name, score in score_image(codes, truth[index]).items()}
                histograms[method] += ab_histogram(codes)
            rows.append(row)
        on_images(len(batch))
    return Evaluation(scores=pd.DataFrame(rows), histograms=histograms)
