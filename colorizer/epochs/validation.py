"""Scores generators on validation images, and finds a training that has diverged without a sign in the losses."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from colorizer.core.lab import Predict
from colorizer.networks.pooled_features import PooledFeatures
from colorizer.scoring.evaluation import evaluate_images
from colorizer.training.gan import DivergedError


@dataclass(kw_only=True)
class Validator:
    """Scores one generator after the other on the same images of the store (N, H, W, 3).

    `pooled_features` are those for the Fréchet distance, which is left out without them. `on_step` is called after
    each batch.
    """

    store: NDArray[np.uint8]
    images: NDArray[np.int64]
    batch_size: int
    on_step: Callable[[], None]
    pooled_features: PooledFeatures | None
    _true_features: NDArray[np.float64] | None = field(default=None, init=False)

    def __call__(self, predict: Predict) -> dict[str, dict[str, float]]:
        """Score the `model` and the `truth`. Raises DivergedError when the model's output is not finite."""

        def predict_finite(lightness: NDArray[np.uint8]) -> NDArray[np.float32]:
            chroma = predict(lightness)
            if not np.isfinite(chroma).all():
                raise DivergedError("the output is not finite")
            return chroma

        evaluation = evaluate_images(
            self.store,
            self.images,
            {"model": predict_finite},
            batch_size=self.batch_size,
            on_images=lambda count: self.on_step(),
            pooled_features=self.pooled_features,
            true_features=self._true_features,
        )
        self._true_features = evaluation.features.get("truth")
        return evaluation.summary()
