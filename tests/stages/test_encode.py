"""A training on a pretrained encoder, whose features are computed before it, or in every step."""

import numpy as np
import pandas as pd
import pytest
import torch

from colorizer.core.lab import Normalization
from colorizer.core.store import open_store, read_image_numbers
from colorizer.models.model import load_model
from colorizer.networks.generator import build_generator
from settings.params_file import read_params
from settings.paths import ENCODED_IMAGES, HISTORY, LAB_STORE, METRICS, MODEL, TRAIN_IMAGES

PRETRAINED = {"encoder": "efficientnet-lite0", "encoder_size": "64", "precision": "fp32"}  # results are compared


@pytest.fixture
def workspace(miniature, tmp_path):
    copied = miniature.copy(tmp_path / "pretrained")
    copied.edit_params(**PRETRAINED)
    return copied


def test_features_are_those_of_each_image_and_of_its_mirror_image(workspace):
    output = workspace.stage("encode").stdout
    encoded = np.load(workspace.path / ENCODED_IMAGES)
    images = read_image_numbers(workspace.path / TRAIN_IMAGES)
    section = read_params(workspace.path / "params.yaml").train.generator
    generator = build_generator((32, 32), **section.model_dump())
    assert encoded.shape == (2 * len(images), generator.num_features((32, 32)))
    assert f"encode: {encoded.shape[1]} features of each of {len(encoded)} images" in output
    codes = open_store(workspace.path / LAB_STORE)[images[[3, 20]], :, :, 0]
    lightness = Normalization().lightness(torch.from_numpy(codes)[:, None].float())
    with torch.no_grad():
        for rows, seen in ((np.array([3, 20]), lightness), (len(images) + np.array([3, 20]), lightness.flip(-1))):
            expected = generator.encode(seen).numpy()
            np.testing.assert_allclose(encoded[rows].astype(np.float32), expected, rtol=2e-3, atol=2e-3)


def test_kept_features_change_nothing_but_the_time(workspace):
    histories = []
    for kept in ("true", "false"):
        workspace.edit_params(cache_features=kept)
        output = workspace.stage("encode").stdout
        assert ("no features to keep" in output) == (kept == "false")
        assert (np.load(workspace.path / ENCODED_IMAGES).size > 0) == (kept == "true")
        workspace.stage("train")
        histories.append(pd.read_csv(workspace.path / HISTORY))
    for name, tolerance in (("l1_loss", 1e-3), ("validation_psnr", 1e-3), ("validation_frechet_distance", 5e-3)):
        assert histories[0][name].tolist() == pytest.approx(histories[1][name].tolist(), rel=tolerance)
    workspace.stage("evaluate")
    assert '"frechet_distance"' in (workspace.path / METRICS).read_text(encoding="utf-8")
    model = load_model(workspace.path / MODEL, "cpu", "fp32")
    assert model.info.side_multiple == 16
    assert model.predict(np.zeros((1, 48, 32), np.uint8)).shape == (1, 48, 32, 2)


def test_a_longer_training_goes_on_to_the_bit(workspace, tmp_path):
    unbroken = workspace.copy(tmp_path / "unbroken")
    for one, runs in ((unbroken, ("2",)), (workspace, ("1", "2"))):
        one.stage("encode")
        for epochs in runs:
            one.edit_params(epochs=epochs)
            output = one.stage("train").stdout
    assert "resuming after epoch 1" in output
    assert (workspace.path / MODEL).read_bytes() == (unbroken.path / MODEL).read_bytes()


def test_an_encoder_that_learns_has_no_features_to_keep(workspace):
    workspace.edit_params(encoder_learning_rate="0.0001")
    assert "no features to keep" in workspace.stage("encode").stdout
    workspace.stage("train")
    workspace.edit_params(encoder="plain")
    output = workspace.stage("train", check=False).stdout
    assert "encoder_learning_rate is that of a pretrained encoder, but the generator's encoder is plain" in output


def test_features_of_other_images_are_refused(workspace):
    workspace.stage("encode")
    workspace.edit_params(flip="false")
    output = workspace.stage("train", check=False).stdout
    assert output.splitlines()[-1] == (
        "train: data/encoded.npy holds features of other images or another encoder: run `dvc repro encode`"
    )
    workspace.edit_params(encoder_size="512")
    assert "encoder_size is 512, but images of 32 px are enlarged to at most 128 px" in (
        workspace.stage("encode", check=False).stdout
    )
