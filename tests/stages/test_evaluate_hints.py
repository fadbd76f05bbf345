"""The stage evaluate of a model that takes hints, and of one that does not."""

import json

import pandas as pd
import torch

from colorizer.core.lab import Normalization
from colorizer.networks.checkpoints import read_checkpoint, save_generator
from colorizer.networks.unet import UNet
from settings.paths import EVALUATION, METRICS, MODEL, MODEL_CARD, SCORE_CARD

WITHOUT = {"test_images", "epoch", "epochs", "model", "mean_chroma", "grey", "truth", "validation"}


def exchange_model(path):
    """Put a random generator that takes hints into the place of a model."""
    metadata = read_checkpoint(path).metadata
    torch.manual_seed(0)
    generator = UNet(width=4, num_downs=4, upsampling="resize", hints=True)
    facts = {name: metadata[name] for name in ("image_shape", "epoch", "scores")}
    save_generator(path, generator, Normalization(**metadata["normalization"]), facts=metadata["training"], **facts)


def test_hints_are_evaluated_where_the_model_takes_them(miniature, tmp_path):
    metrics = json.loads((miniature.path / METRICS).read_text(encoding="utf-8"))
    assert set(metrics) == WITHOUT
    assert not list((miniature.path / EVALUATION).glob("hints*"))
    assert "hints" not in (miniature.path / SCORE_CARD).read_text(encoding="utf-8")

    workspace = miniature.copy(tmp_path / "hints")
    exchange_model(workspace.path / MODEL)
    workspace.edit_params(hint_images="3", sheet_images="2")
    output = workspace.stage("evaluate").stdout
    assert "hints: 6/6 img" in output
    metrics = json.loads((workspace.path / METRICS).read_text(encoding="utf-8"))
    assert set(metrics) == WITHOUT | {"hints"}
    hints = metrics["hints"]
    assert hints["images"] == 3
    assert hints["recoloured"].keys() == {"distance", "distance_before", "far_change"}
    curve = pd.read_csv(workspace.path / EVALUATION / "hints.csv")
    assert list(zip(curve["count"], curve["method"], strict=True))[2:4] == [(1, "model"), (1, "levin")]
    assert curve["psnr"].tolist()[8:10] == [hints["10"]["psnr"], hints["10"]["levin_psnr"]]
    assert (workspace.path / EVALUATION / "hints.png").stat().st_size > 5000
    for path in (SCORE_CARD, MODEL_CARD, EVALUATION / "report.html"):
        assert f"{hints['100']['levin_ab_error']:.2f}" in (workspace.path / path).read_text(encoding="utf-8"), path
