"""How fast methods are scored, beside scikit-image, and the seconds of the whole stage.

    python -m benchmarks.evaluation                      # 5,000 stand-in images of 64 px

The network has random weights: what it predicts does not change the time.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from benchmarks.data_stages import PROJECT, STAGES, write_stand_in
from benchmarks.textbook import seconds_of
from colorizer.core.lab import Normalization, Predict, codes_to_lab, codes_to_rgb
from colorizer.core.store import open_store
from colorizer.networks.checkpoints import generate_chroma, save_generator
from colorizer.networks.layers import max_num_downs
from colorizer.networks.unet import UNet
from colorizer.scoring.evaluation import constant_chroma, evaluate_images
from colorizer.scoring.metrics import colorfulness, psnr

BATCH = 64


def by_scikit_image(codes: NDArray[np.uint8], methods: dict[str, Predict]) -> None:
    """The same scores with scikit-image's functions, an image and a method at a time."""
    for start in range(0, len(codes), BATCH):
        batch = codes[start : start + BATCH]
        predictions = [predict(batch[..., 0]) for predict in methods.values()]
        for index, truth in enumerate(batch):
            true_lab, true_rgb = codes_to_lab(truth), codes_to_rgb(truth)
            for chroma in predictions:
                predicted = np.concatenate([truth[..., :1], chroma[index]], axis=-1)
                lab, rgb = codes_to_lab(predicted), codes_to_rgb(predicted)
                structural_similarity(rgb, true_rgb, channel_axis=-1, data_range=255)
                deltaE_ciede2000(lab, true_lab).mean()
                psnr(rgb[None], true_rgb[None])
                colorfulness(rgb[None])
                np.histogram2d(lab[..., 1].ravel(), lab[..., 2].ravel(), bins=22)


def make_generator(size: int) -> UNet:
    """Half of the recipe's width, as presets/photos64.yaml has it."""
    torch.manual_seed(0)
    return UNet(width=32, num_downs=max_num_downs(size), upsampling="transposed").eval()


def prepare(workspace: Path, root: Path, images: int, size: int) -> None:
    """A clone of the last commit in which everything but the evaluation is there; `images` train, as many test."""
    subprocess.run(["git", "clone", "--quiet", PROJECT, workspace], check=True)
    params = (workspace / "presets/photos64.yaml").read_text(encoding="utf-8")
    params = re.sub(
        r"(?m)^(split:\n  train: )\d+(.*\n  validation: )\d+(.*\n  test: )\d+",
        rf"\g<1>{images}\g<2>0\g<3>{images}",
        params,
    )
    (workspace / "params.yaml").write_text(re.sub(r"(?m)^  root: \S+", f"  root: {root}", params), encoding="utf-8")
    for stage in STAGES:
        run_stage(stage, workspace)
    save_generator(
        workspace / "models/generator.safetensors",
        make_generator(size),
        Normalization(),
        image_shape=(size, size),
        epoch=1,
        scores={},
        facts={
            "params": {"train.monitor": "combined_score"},
            "environment": dict.fromkeys(
                ("device", "kind", "precision", "threads", "processes", "torch", "numpy"), "-"
            ),
        },
    )
    (workspace / "reports").mkdir(exist_ok=True)
    (workspace / "reports/history.csv").write_text(
        "epoch,l1_loss,discriminator_loss,adversarial_loss\n1,0.1,1.4,0.7\n", encoding="utf-8"
    )


def run_stage(stage: str, workspace: Path) -> None:
    command = [sys.executable, "-m", f"stages.{stage}"]
    subprocess.run(command, cwd=workspace, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000, help="test images of the stage")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--scored", type=int, default=512, help="images that are scored in each round of the table")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evaluation-", dir=PROJECT.parent) as folder:
        root, workspace = Path(folder, "raw"), Path(folder, "workspace")
        write_stand_in(root, 2 * options.images, options.size)
        prepare(workspace, root, options.images, options.size)
        store = open_store(workspace / "data/lab.npy")
        codes = np.array(store[: options.scored])
        stage = [seconds_of(partial(run_stage, "evaluate", workspace)) for _ in range(options.runs)]
    device = torch.device("cpu")
    network = partial(generate_chroma, make_generator(options.size), Normalization(), device=device)
    baselines: dict[str, Predict] = {
        "mean_chroma": constant_chroma((136.5, 141.3)),
        "grey": constant_chroma((128, 128)),
    }
    rows: dict[str, dict[str, Predict]] = {
        "two baselines": baselines,
        "network and two baselines": {"model": network, **baselines},
    }

    def score(methods: dict[str, Predict]) -> None:
        evaluate_images(codes, np.arange(len(codes)), methods, batch_size=BATCH, on_images=lambda count: None)

    print(f"{os.cpu_count()} cores, {len(codes)} images of {options.size} px, images/s, medians of {options.runs}\n")
    print("| methods | scikit-image | evaluate_images | ratio |\n|---|---:|---:|---:|")
    for name, methods in rows.items():
        seconds = np.array(
            [
                (seconds_of(partial(by_scikit_image, codes, methods)), seconds_of(partial(score, methods)))
                for _ in range(options.runs + 1)
            ]
        )[1:]
        before, after = np.median(len(codes) / seconds, axis=0)
        print(f"| {name} | {before:.0f} | {after:.0f} | {np.median(seconds[:, 0] / seconds[:, 1]):.2f} |")
    print(
        f"\npython -m stages.evaluate of {options.images:,} images: {np.median(stage):.1f} s, median of {options.runs}"
    )


if __name__ == "__main__":
    main()
