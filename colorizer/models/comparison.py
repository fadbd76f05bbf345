"""Scores of several trained models on the same images."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.core.errors import UserError
from colorizer.core.progress import Progress
from colorizer.core.store import open_store, read_image_numbers
from colorizer.models.model import load_model
from colorizer.scoring.evaluation import evaluate_images

if TYPE_CHECKING:
    from colorizer.networks.devices import PrecisionOrAuto  # imports PyTorch, which takes seconds


def score_models(
    models: Mapping[str, Path],
    store: Path,
    images: Path,
    *,
    device: str,
    precision: "PrecisionOrAuto",
    batch_size: int,
) -> dict[str, dict[str, float]]:
    """Score every model on the same images, and return the scores of each under its name.

    store: the .npy file of codes (N, H, W, 3) uint8. images: a CSV file whose column `image` holds numbers of images
    in it. The scores are those of `Evaluation.summary`. Shows progress on standard error. Raises UserError when a
    file is missing, when a model or the table is damaged, and when the store has no such images.
    """
    codes, numbers = open_store(store), read_image_numbers(images)
    if not len(numbers):
        raise UserError(f"{images} names no images")
    if numbers.min() < 0 or numbers.max() >= len(codes):
        raise UserError(f"{images} names images that {store} does not hold: its images are 0 to {len(codes) - 1}")
    from colorizer.networks.devices import choose_device  # PyTorch takes seconds to import
    from colorizer.networks.pooled_features import PooledFeatures

    methods = {
        f"model{number}": load_model(path, device, precision).predict for number, path in enumerate(models.values())
    }
    with Progress("score", total=len(numbers)) as progress:
        evaluation = evaluate_images(
            codes,
            numbers,
            methods,
            batch_size=batch_size,
            on_images=progress.advance,
            pooled_features=PooledFeatures(choose_device(device)),
        )
    summary = evaluation.summary()
    return {name: summary[method] for name, method in zip(models, methods, strict=True)}
