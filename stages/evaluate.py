"""Score the model on the test images beside two baselines, and make the report and the model card."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from colorizer.core.digests import file_digest
from colorizer.core.errors import UserError
from colorizer.core.files import save_image, write_csv, write_text
from colorizer.core.lab import NEUTRAL
from colorizer.core.normalization_file import read_normalization
from colorizer.core.progress import Progress
from colorizer.core.store import open_store, read_image_numbers
from colorizer.hint_scores.curve import PredictWithHints, hint_curve, hint_summary
from colorizer.hint_scores.recoloring import recoloring_scores
from colorizer.networks.checkpoints import generate_chroma, load_generator
from colorizer.networks.devices import open_device
from colorizer.networks.pooled_features import PooledFeatures
from colorizer.report.failures import where_it_fails, worst_by_kind
from colorizer.report.figures import plot_hints, plot_histograms, plot_history, save_figure
from colorizer.report.html import report_page
from colorizer.report.model_card import Data, Weights, model_card
from colorizer.report.origin import origin_of
from colorizer.report.score_card import score_card
from colorizer.scoring.evaluation import Evaluation, constant_chroma, evaluate_images
from colorizer.scoring.sheets import comparison_sheet
from settings.params import SAMPLE_ROOT, Params
from settings.params_file import flat
from settings.paths import (
    CARD_EXAMPLES,
    EVALUATION,
    HISTORY,
    INVENTORY,
    LAB_STORE,
    METRICS,
    MODEL,
    MODEL_CARD,
    NORMALIZATION,
    SCORE_CARD,
    TEST_IMAGES,
    TRAIN_IMAGES,
    VALIDATION_IMAGES,
)
from stages.runtime.entry import run_stage

_OF_EACH_KIND = 3  # images on the sheet of the worst by kind: a row
_NO_LICENSE = "motorcycle_left.png"  # of the sample's photographs, see data/README.md


def evaluate(params: Params) -> None:
    options = params.evaluate
    device, precision = open_device(params.train.device, params.train.precision)
    store = open_store(LAB_STORE)
    generator, normalization, metadata = load_generator(MODEL, device)
    if normalization != read_normalization(NORMALIZATION):
        raise UserError(
            f"{MODEL} was trained with another normalisation than data/normalization.json: run `dvc repro train`"
        )
    predict = partial(generate_chroma, generator, normalization, device=device, precision=precision)
    images = read_image_numbers(TEST_IMAGES)
    with Progress("evaluate", total=len(images)) as progress:
        evaluation = evaluate_images(
            store,
            images,
            {
                "model": predict,
                "mean_chroma": constant_chroma(training_mean_chroma()),
                "grey": constant_chroma((NEUTRAL, NEUTRAL)),
            },
            batch_size=options.batch_size,
            on_images=progress.advance,
            pooled_features=PooledFeatures(device),
        )

    failures = where_it_fails(evaluation.scores)
    write_csv(EVALUATION / "scores.csv", evaluation.scores.round(4))
    write_csv(EVALUATION / "failures.csv", failures.round(4))
    history = pd.read_csv(HISTORY)
    save_figure(plot_history(history), EVALUATION / "curves.png")
    save_figure(
        plot_histograms({name: evaluation.histograms[name] for name in ("truth", "model")}),
        EVALUATION / "histograms.png",
    )
    picked = pick(evaluation, options.sheet_images)
    sheets = {EVALUATION / f"{name}.png": dict.fromkeys(chosen, "") for name, chosen in picked.items()}
    examples = equal_steps(showable(evaluation.ranked(), params), options.sheet_images)
    sheets[CARD_EXAMPLES] = dict.fromkeys(examples, "")
    kinds = worst_by_kind(evaluation.scores, _OF_EACH_KIND)
    sheets[EVALUATION / "worst_by_kind.png"] = {
        image: f"{kind}: " for kind, chosen in kinds.items() for image in chosen
    }
    ciede2000 = evaluation.scores.set_index("image")["model_ciede2000"]
    for path, kind_of in sheets.items():
        truth = store[list(kind_of)]
        captions = [f"{kind}image {image}, CIEDE2000 {ciede2000[image]:.1f}" for image, kind in kind_of.items()]
        save_image(comparison_sheet(truth, predict(truth[..., 0]), captions=captions), path)

    metrics = {"test_images": len(images), "epoch": metadata["epoch"], "epochs": len(history), **evaluation.summary()}
    if metadata["scores"]:
        metrics["validation"] = metadata["scores"]  # by which a sweep ranks
    if generator.takes_hints:
        metrics["hints"] = evaluate_hints(params, store, equal_steps(images, options.hint_images), predict)
    write_text(METRICS, json.dumps(metrics, indent=2) + "\n")
    validated = len(pd.read_csv(VALIDATION_IMAGES))
    origin = origin_of(metadata, epochs=len(history), tested=len(images), validated=validated)
    write_text(SCORE_CARD, score_card(metrics, origin, failures))
    pictures = [
        ("From the best to the worst", "At equal steps of the ranking by CIEDE2000.", EVALUATION / "ranking.png"),
        ("Median images", "Those in the middle of the ranking by CIEDE2000.", EVALUATION / "median.png"),
        ("Worst images", "The largest CIEDE2000.", EVALUATION / "worst.png"),
        (
            "Worst images by kind",
            "The largest CIEDE2000 among dark, bright, pale, colourful, smooth and textured images, then those whose "
            "colourfulness is farthest below and above the truth's; no image twice.",
            EVALUATION / "worst_by_kind.png",
        ),
        (
            "Training",
            "Mean losses of each epoch, and scores of the validation images. The discriminator joins after "
            "train.l1_pretrain_epochs; guessing costs it 1.39.",
            EVALUATION / "curves.png",
        ),
        (
            "Colours",
            "How often each a*, b* occurs in the test images and in the model's.",
            EVALUATION / "histograms.png",
        ),
    ]
    if generator.takes_hints:
        caption = "Means over the images. Dashed: the model without hints."
        pictures.insert(0, ("What hints bring", caption, EVALUATION / "hints.png"))
    write_text(EVALUATION / "report.html", report_page(metrics, origin, failures, metadata["training"], pictures))
    weights = Weights(
        file=MODEL.name,
        sha256=file_digest(MODEL),
        count=sum(weight.numel() for weight in generator.parameters()),
        metadata=metadata,
    )
    data = describe_data(params, store.shape[1:3], len(images))
    write_text(MODEL_CARD, model_card(weights, data, metrics, origin, failures, CARD_EXAMPLES.name))
    model, grey = metrics["model"]["psnr"], metrics["grey"]["psnr"]
    print(f"evaluate: PSNR {model:.2f} dB (grey {grey:.2f}), report in {EVALUATION}/report.html")


def evaluate_hints(
    params: Params, store: NDArray[np.uint8], images: NDArray[np.int64], predict: PredictWithHints
) -> dict[str, object]:
    """Measure what hints bring on these images, and write the curve. Returns the metrics."""
    batch_size = params.evaluate.batch_size
    with Progress("hints", total=2 * len(images)) as progress:
        curve = hint_curve(store, images, predict, batch_size=batch_size, on_images=progress.advance)
        recoloring = recoloring_scores(store, images, predict, batch_size=batch_size, on_images=progress.advance)
    write_csv(EVALUATION / "hints.csv", curve.round(4))
    save_figure(plot_hints(curve), EVALUATION / "hints.png")
    return hint_summary(curve, recoloring, len(images))


def describe_data(params: Params, shape: tuple[int, int], test: int) -> Data:
    """The images, for the model card."""
    root = Path(params.data.root)
    arrays = f"the arrays in {root.name if root.is_absolute() else root}"
    return Data(
        name="the built-in sample" if params.uses_sample else arrays,
        is_sample=params.uses_sample,
        shape=shape,
        train=len(pd.read_csv(TRAIN_IMAGES)),
        validation=len(pd.read_csv(VALIDATION_IMAGES)),
        test=test,
        split=flat({"split": params.split.model_dump(mode="json")}),
    )


def training_mean_chroma() -> tuple[float, float]:
    """Mean A and B codes of the training images."""
    inventory = pd.read_csv(INVENTORY, usecols=["image", "mean_a", "mean_b"], index_col="image")
    means = inventory.loc[pd.read_csv(TRAIN_IMAGES)["image"]].mean() + NEUTRAL
    return means["mean_a"], means["mean_b"]


def showable(images: NDArray[np.int64], params: Params) -> NDArray[np.int64]:
    """Leave out images that the model card, which is for publishing, may not show: crops without a licence."""
    if not params.uses_sample:
        return images
    crops = pd.read_csv(SAMPLE_ROOT / "crops.csv")
    return images[~np.isin(images, crops["image"][crops["photograph"] == _NO_LICENSE])]


def equal_steps(ranked: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Choose `count` images, or all, from the first to the last."""
    return ranked[np.linspace(0, len(ranked) - 1, min(count, len(ranked))).astype(int)]


def pick(evaluation: Evaluation, count: int) -> dict[str, NDArray[np.int64]]:
    """Images for the contact sheets, `count` each (or all): at equal steps of the ranking, its middle, and its end."""
    ranked = evaluation.ranked()
    count = min(count, len(ranked))
    middle = (len(ranked) - count) // 2
    return {
        "ranking": equal_steps(ranked, count),
        "median": ranked[middle : middle + count],
        "worst": ranked[-count:][::-1],
    }


if __name__ == "__main__":
    run_stage(evaluate)
