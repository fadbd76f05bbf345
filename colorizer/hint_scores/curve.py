"""Measures how much a model gains from hints at random places, beside a method that only spreads them."""

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from colorizer.core.hints import no_hints, random_places, reveal
from colorizer.hint_scores.levin import neighbour_weights, spread_hints
from colorizer.scoring.metrics import Coloring, ab_error, psnr

COUNTS = (0, 1, 2, 5, 10, 50, 100)  # hints in an image
_SIDE = 7 / 256  # of a hint's square, as a share of the image's shorter side


class PredictWithHints(Protocol):
    """What colours images with hints: codes of L (n, H, W), hints (n, H, W, 3) -> codes of A, B (n, H, W, 2)."""

    def __call__(self, lightness: NDArray[np.uint8], *, hints: NDArray[np.uint8]) -> NDArray[np.float32]: ...


def hint_side(shape: tuple[int, int]) -> int:
    """The side of a hint's square in an image (H, W), pixels: 7 in 256, and at least 1."""
    return max(1, round(_SIDE * min(shape)))


def true_hints(codes: NDArray[np.uint8], image: int, count: int) -> NDArray[np.uint8]:
    """Show the true colour at `count` random places of an image, codes (H, W, 3): hints (H, W, 3).

    Each is a square of the mean colour in it. The number of the image alone decides the places, and fewer hints are the
    first ones of more.
    """
    random = np.random.Generator(np.random.Philox(key=[0, image]))
    shape = codes.shape[0], codes.shape[1]
    hints = no_hints(shape)
    for row, column in random_places(shape, count, random).tolist():
        reveal(hints, codes, row, column, hint_side(shape))
    return hints


def hint_curve(
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    predict: PredictWithHints,
    *,
    batch_size: int,
    on_images: Callable[[int], None],
) -> pd.DataFrame:
    """Score images of the store (N, H, W, 3) with 0 to 100 `true_hints`: coloured by a model, and by Levin et al.

    Columns: count, method (model or levin), and means over the images: psnr, ab_error. All see the same hints; those of
    Levin et al. are spread by `spread_hints`. `on_images` is told how many more images are done.

    As Zhang et al. measure, "Real-Time User-Guided Image Colorization with Learned Deep Priors" (2017): squares of 7 px
    in images of 256 px, at places distributed as in training, PSNR against their number.
    """
    keys = [(count, method) for count in COUNTS for method in ("model", "levin")]
    scores = []  # (2, len(keys)) for each image
    for start in range(0, len(images), batch_size):
        numbers = images[start : start + batch_size]
        truth = store[numbers]
        nested = (_nested_hints(codes, int(image)) for codes, image in zip(truth, numbers, strict=True))
        hints = np.stack(list(nested))  # (n, counts, H, W, 3)
        predicted = np.stack([predict(truth[..., 0], hints=hints[:, i]) for i in range(len(COUNTS))], axis=1)
        for codes, known, model in zip(truth, hints, predicted, strict=True):
            scores.append(_score(codes, known, model))  # in threads SuperLU is slower: it allocates under Python's lock
            on_images(1)
    means = np.mean(scores, axis=0)
    return pd.DataFrame(keys, columns=["count", "method"]).assign(psnr=means[0], ab_error=means[1])


def _nested_hints(codes: NDArray[np.uint8], image: int) -> NDArray[np.uint8]:
    """The hints (counts, H, W, 3) of an image, codes (H, W, 3), for each of COUNTS."""
    return np.stack([true_hints(codes, image, count) for count in COUNTS])


def hint_summary(curve: pd.DataFrame, recoloring: dict[str, float], num_images: int) -> dict[str, Any]:
    """Sum up a `hint_curve` and `recoloring_scores` for metrics.json, without what is NaN.

    By number of hints, as text: psnr and ab_error, levin_psnr and levin_ab_error. Besides `images`, their number, and
    `recoloured`.
    """
    summary: dict[str, Any] = {"images": num_images}
    for row in curve.round(4).to_dict("records"):
        scores = summary.setdefault(str(row["count"]), {})
        prefix = "" if row["method"] == "model" else f"{row['method']}_"
        scores |= {f"{prefix}{name}": row[name] for name in ("psnr", "ab_error")}
    recolored = {name: round(value, 4) for name, value in recoloring.items() if not math.isnan(value)}
    return summary | {"recoloured": recolored}


def _score(truth: NDArray[np.uint8], hints: NDArray[np.uint8], predicted: NDArray[np.float32]) -> NDArray[np.float64]:
    """PSNR and AB error (2, 2 x counts) of an image: for each count the model's, then Levin's."""
    weights = neighbour_weights(truth[..., 0])
    pairs = [(model, spread_hints(weights, known)) for known, model in zip(hints, predicted, strict=True)]
    colored = np.concatenate(pairs)  # (2 x counts, H, W, 2)
    lightness = np.broadcast_to(truth[..., 0], (len(colored), *truth.shape[:2]))
    true, coloring = Coloring(truth[None, ..., 0], truth[None, ..., 1:]), Coloring(lightness, colored)
    return np.stack([psnr(coloring.rgb, true.rgb), ab_error(coloring, true)]).astype(np.float64)
