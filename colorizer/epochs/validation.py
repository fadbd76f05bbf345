"""Scores a generator on validation images, and finds a training that has diverged without a sign in the losses."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from colorizer.core.lab import Predict
from colorizer.scoring.evaluation import evaluate_images
from colorizer.training.gan import DivergedError


def score_finite(
    predict: Predict,
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    *,
    batch_size: int,
    on_step: Callable[[], None],
) -> dict[str, dict[str, float]]:
    """Score the `model` and the `truth` on images of the store. Raises DivergedError when the output is not finite."""

    def predict_finite(lightness: NDArray[np.uint8]) -> NDArray[np.float32]:
        chroma = predict(lightness)
        if not np.isfinite(chroma).all():
            raise DivergedError("training diverged: the output is not finite")
        return chroma

    evaluation = evaluate_images(
        store, images, {"model": predict_finite}, batch_size=batch_size, on_images=lambda count: on_step()
    )
    return evaluation.summary()
