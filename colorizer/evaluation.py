"""The model beside two honest baselines on held-out images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from colorizer.lab import NEUTRAL, codes_to_rgb
from colorizer.metrics import ab_histogram, colourfulness, histogram_distance, score_image

METHODS = ("model", "mean_chroma", "grey")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of every image, and pooled AB histograms (22, 22).

    `scores` has one row per image: `image`, `<method>_<score>` for every method of METHODS, `truth_colourfulness`.
    `histograms` is keyed by method and `truth`.
    """

    scores: pd.DataFrame
    histograms: dict[str, NDArray[np.float64]]

    def summary(self) -> dict[str, dict[str, float]]:
        """Per method: mean of every score, colourfulness gap |out - truth| / truth, histogram distance."""
        means = self.scores.mean()
        true_colourfulness = means["truth_colourfulness"]
        result = {}
        for method in METHODS:
            names = [name for name in self.scores.columns if name.startswith(f"{method}_")]
            summary = {name.removeprefix(f"{method}_"): means[name] for name in names}
            summary["colourfulness_gap"] = abs(summary["colourfulness"] - true_colourfulness) / max(
                true_colourfulness, 1e-9
            )
            summary["histogram_distance"] = histogram_distance(self.histograms[method], self.histograms["truth"])
            result[method] = {name: round(float(value), 4) for name, value in summary.items()}
        result["truth"] = {"colourfulness": round(float(true_colourfulness), 4)}
        return result

    def ranked(self) -> NDArray[np.int64]:
        """The images from the model's smallest to its largest CIEDE2000."""
        return self.scores.sort_values(["model_ciede2000", "image"])["image"].to_numpy()


def evaluate_images(
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    *,
    mean_chroma: tuple[float, float],
    batch_size: int,
    on_images: Callable[[int], None],
) -> Evaluation:
    """Score `predict`, the constant `mean_chroma` (codes of A and B) and grey on images of the store (N, H, W, 3).

    `predict` turns L codes (n, H, W) uint8 into A, B codes (n, H, W, 2) float32. `on_images` is told how many more
    images are done.
    """
    rows = []
    histograms = {name: np.zeros((22, 22)) for name in (*METHODS, "truth")}
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        truth = store[batch]  # (n, H, W, 3)
        predictions = {
            "model": predict(truth[..., 0]),
            "mean_chroma": np.broadcast_to(np.array(mean_chroma, np.float32), (*truth.shape[:3], 2)),
            "grey": np.full((*truth.shape[:3], 2), NEUTRAL, np.float32),
        }
        for index, image in enumerate(batch):
            row = {"image": image, "truth_colourfulness": colourfulness(codes_to_rgb(truth[index]))}
            histograms["truth"] += ab_histogram(truth[index])
            for method in METHODS:
                codes = np.concatenate([truth[index][..., :1], predictions[method][index]], axis=-1)
                row |= {f"{method}_{name}": score for name, score in score_image(codes, truth[index]).items()}
                histograms[method] += ab_histogram(codes)
            rows.append(row)
        on_images(len(batch))
    return Evaluation(scores=pd.DataFrame(rows), histograms=histograms)
