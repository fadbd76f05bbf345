"""Evaluates colouring methods on images with known colours."""

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorizer.core.lab import Predict
from colorizer.scoring.frechet import frechet_distance
from colorizer.scoring.metrics import (
    Coloring,
    ab_deviation,
    ab_histogram,
    colorfulness,
    histogram_distance,
    image_properties,
    mean_color,
    score_images,
    tint,
)

if TYPE_CHECKING:
    import pandas as pd  # a quarter of a second to import, which a training does without

_TASK_PIXELS = 2**17  # that a thread scores at a time: with fewer, threads wait for each other's Python


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of one or more methods on N images: of every image, and pooled over all.

    `columns` (N,), of which `scores` is the table, are `image`, `<method>_<score>` for every method, and of the truth
    `truth_colourfulness`, `truth_ab_deviation`, the AB error of a grey image, and `truth_lightness`, `truth_chroma` and
    `truth_texture`, its `image_properties`. `histograms`, the pooled AB histograms (22, 22), `colors`, the
    `mean_color` of every image (N, 3), and `features`, those of every image (N, d) or none, are keyed by method and
    `truth`.
    """

    columns: dict[str, NDArray]
    histograms: dict[str, NDArray[np.float64]]
    colors: dict[str, NDArray[np.float64]]
    features: dict[str, NDArray[np.float64]]

    @cached_property
    def scores(self) -> "pd.DataFrame":
        """The columns as a table, a row per image."""
        import pandas as pd

        return pd.DataFrame(self.columns)

    def summary(self) -> dict[str, dict[str, float]]:
        """Summarise methods: mean scores, colourfulness gap, histogram and Fréchet distance, tint, combined score.

        The Fréchet distance is left out where no features are known.
        The gap is |out - truth| / truth. Of the truth: colourfulness and tint. The tint tells one hue alone, such as
        brown, from colours that balance.
        The combined score weighs error and colour: AB error relative to leaving the image grey + histogram distance +
        colourfulness gap. Error alone rewards dull colours, histogram and colourfulness alone colours in the wrong
        places, colourfulness alone any strong tint.
        """
        means = {name: _mean_of_known(values) for name, values in self.columns.items()}
        true_colorfulness = means["truth_colourfulness"]
        result = {}
        for method in (name for name in self.histograms if name != "truth"):
            names = [name for name in means if name.startswith(f"{method}_")]
            summary = {name.removeprefix(f"{method}_"): means[name] for name in names}
            summary["colourfulness_gap"] = abs(summary["colourfulness"] - true_colorfulness) / max(
                true_colorfulness, 1e-9
            )
            summary["histogram_distance"] = histogram_distance(self.histograms[method], self.histograms["truth"])
            summary["tint"] = tint(self.colors[method])
            relative_error = summary["ab_error"] / max(means["truth_ab_deviation"], 1e-9)
            summary["combined_score"] = relative_error + summary["histogram_distance"] + summary["colourfulness_gap"]
            if self.features:
                summary["frechet_distance"] = frechet_distance(self.features[method], self.features["truth"])
            result[method] = {name: round(float(value), 4) for name, value in summary.items()}
        truth = {"colourfulness": true_colorfulness, "tint": tint(self.colors["truth"])}
        result["truth"] = {name: round(float(value), 4) for name, value in truth.items()}
        return result

    def ranked(self) -> NDArray[np.int64]:
        """Sort the images by the CIEDE2000 of the method `model`, from the smallest: their numbers (N,)."""
        return self.scores.sort_values(["model_ciede2000", "image"])["image"].to_numpy()


def constant_chroma(chroma: tuple[float, float]) -> Predict:
    """Build the baseline method that predicts the same codes of A and B for every pixel."""
    return lambda lightness: np.broadcast_to(np.array(chroma, np.float32), (*lightness.shape, 2))


def evaluate_images(
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    methods: Mapping[str, Predict],
    *,
    batch_size: int,
    on_images: Callable[[int], None],
    pooled_features: Callable[[NDArray[np.uint8]], NDArray[np.float64]] | None = None,
    true_features: NDArray[np.float64] | None = None,
) -> Evaluation:
    """Score every method on images of the store (N, H, W, 3).

    A method turns L codes (n, H, W) uint8 into A, B codes (n, H, W, 2) float32; it is called by the caller's thread and
    has all cores to itself, as scoring has afterwards. `on_images` is told how many more images are done. What a
    prediction scores depends neither on `batch_size` nor on the number of cores. `pooled_features` turns sRGB images
    (n, H, W, 3) uint8 into features (n, d), for the Fréchet distance, which is left out without it. `true_features`
    are those of the images (N, d), if they are known already.
    """
    parts: list[_Part] = []
    histograms = {name: np.zeros((22, 22)) for name in (*methods, "truth")}
    features: dict[str, list[NDArray[np.float64]]] = {}
    cores = os.cpu_count() or 1
    step = max(1, min(-(-batch_size // cores), _TASK_PIXELS // (store.shape[1] * store.shape[2])))
    with ThreadPoolExecutor(cores) as pool:
        for start in range(0, len(images), batch_size):
            truth = store[images[start : start + batch_size]]  # (n, H, W, 3)
            predicted = {name: predict(truth[..., 0]) for name, predict in methods.items()}
            futures = [
                pool.submit(_score, truth[i : i + step], {name: ab[i : i + step] for name, ab in predicted.items()})
                for i in range(0, len(truth), step)
            ]
            done = [future.result() for future in futures]
            if pooled_features and len(images) > 1:
                for name in methods if true_features is not None else (*methods, "truth"):
                    rgb = np.concatenate([part.rgb[name] for part in done])
                    features.setdefault(name, []).append(pooled_features(rgb))
            for part in done:
                for name in histograms:
                    histograms[name] += part.histograms[name]
                parts.append(part._replace(histograms={}, rgb={}))
            on_images(len(truth))
    pooled = {name: np.concatenate(batches) for name, batches in features.items()}
    return Evaluation(
        columns={"image": images} | {name: np.concatenate([p.scores[name] for p in parts]) for name in parts[0].scores},
        histograms=histograms,
        colors={name: np.concatenate([part.colors[name] for part in parts]) for name in histograms},
        features=pooled | {"truth": true_features} if pooled and true_features is not None else pooled,
    )


class _Part(NamedTuple):
    """Scores (n,), by name, of a few images; AB histograms, mean colours (n, 3) and sRGB (n, H, W, 3), by method."""

    scores: dict[str, NDArray[np.float64]]
    histograms: dict[str, NDArray[np.int64]]
    colors: dict[str, NDArray[np.float64]]
    rgb: dict[str, NDArray[np.uint8]]


def _mean_of_known(values: NDArray) -> float:
    """The mean of (N,) without what is NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _score(truth: NDArray[np.uint8], predicted: dict[str, NDArray[np.float32]]) -> _Part:
    """Score what the methods predicted for n images. What the truth brings is made once."""
    lightness = truth[..., 0]
    true = Coloring(lightness, truth[..., 1:])
    colorings = {"truth": true} | {method: Coloring(lightness, chroma) for method, chroma in predicted.items()}
    scores = {"truth_colourfulness": colorfulness(true.rgb), "truth_ab_deviation": ab_deviation(true)}
    scores |= {f"truth_{name}": values for name, values in image_properties(lightness, true).items()}
    for method in predicted:
        scores |= {f"{method}_{name}": score for name, score in score_images(colorings[method], true).items()}
    return _Part(
        scores={name: score.astype(np.float64) for name, score in scores.items()},
        histograms={name: ab_histogram(coloring.a, coloring.b) for name, coloring in colorings.items()},
        colors={name: mean_color(coloring) for name, coloring in colorings.items()},
        rgb={name: coloring.rgb for name, coloring in colorings.items()},
    )
