"""Photographs take the colours of references that show the same, and none of those that show something else."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import reference as benchmark
from colorizer.core.hints import HintSampling, no_hints
from colorizer.core.lab import Normalization, codes_to_rgb, rgb_to_codes
from colorizer.models.model import Model, load_model
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.efficientnet import load_efficientnet_lite0
from colorizer.networks.unet import UNet
from colorizer.photographs.photographs import Photograph
from colorizer.references.descriptors import as_seen, load_descriptors
from colorizer.references.encoder_export import DenseDescriptors
from colorizer.references.like import reference_codes, vote_hints, voting_model
from colorizer.references.palette import Palette
from colorizer.references.voting import SCALES, References, Votes
from colorizer.training.batches import TrainingBatches
from colorizer.training.gan import GAN
from colorizer.training.recipe import Recipe
from tests.support.colorizer_command import run_colorizer
from tests.support.model_file import save_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model_file(photographs, tmp_path_factory) -> Path:
    """A small model that takes hints, trained for two seconds: its own colours are poor."""
    torch.manual_seed(0)
    generator = UNet(width=8, num_downs=2, upsampling="resize", hints=True)
    discriminator = Discriminator(width=8, num_downs=3, conditional=False, output="image", image_shape=(32, 32))
    gan = GAN(
        generator,
        discriminator,
        Recipe(learning_rate=1e-3, betas=(0.5, 0.999), l1_weight=100.0, ema_decay=0.9),
        device=CPU,
    )
    for epoch in range(1, 9):
        batches = TrainingBatches(
            photographs,
            np.arange(len(photographs)),
            Normalization(),
            batch_size=8,
            flip=True,
            seed=0,
            epoch=epoch,
            device=CPU,
            hints=HintSampling(none=0.25, mean_points=8, largest_side=3),
        )
        gan.fit(batches, learning_rate=1e-3, adversarial=False, first_step=8 * (epoch - 1))
    return save_model(gan.ema.module, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(model_file) -> Model:
    return load_model(model_file, "cpu", "fp32")


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """The eight built-in photographs, and two that are not in the sample."""
    return dict(benchmark.photographs())


def write(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def mean_errors(found: Sequence[tuple[str, str, float, float]], kind: str) -> tuple[float, float]:
    without, with_reference = np.mean([errors for _, of_kind, *errors in found if of_kind == kind], axis=0)
    return without, with_reference


def test_another_crop_brings_its_colours_back_and_another_scene_does_no_harm(model, pictures, monkeypatch):
    """One of the four pairs of every photograph, and one unrelated reference: 10 + 10."""
    monkeypatch.setattr(benchmark, "PAIRS", benchmark.PAIRS[2:3])
    monkeypatch.setattr(benchmark, "OTHERS", benchmark.OTHERS[:1])
    found = list(benchmark.compare(model, pictures, load_descriptors()))
    assert len(found) == 20
    without, related = mean_errors(found, "related")
    assert related < 0.8 * without
    without, unrelated = mean_errors(found, "unrelated")
    assert unrelated < 1.1 * without


@pytest.mark.thorough
def test_all_pairs_of_the_benchmark(model, pictures):
    found = list(benchmark.compare(model, pictures, load_descriptors()))
    assert len(found) == 70
    without, related = mean_errors(found, "related")
    assert related < 0.8 * without
    without, unrelated = mean_errors(found, "unrelated")
    assert unrelated < 1.1 * without


def test_the_command(model_file, pictures, tmp_path, monkeypatch, capfd):
    """Without hints too, and for a folder: the same references for all of it."""
    monkeypatch.chdir(tmp_path)
    china = pictures["china.jpg"][:240, :320]
    (tmp_path / "album").mkdir()
    write(tmp_path / "album/a.png", np.asarray(Image.fromarray(china).convert("L")))
    write(tmp_path / "album/b.png", np.asarray(Image.fromarray(china[:, ::-1]).convert("L")))
    right = write(tmp_path / "right.png", pictures["china.jpg"][:240, 80:400])
    other = write(tmp_path / "other.png", pictures["coffee.png"])
    hintless = save_model(UNet(width=8, num_downs=2, upsampling="resize"), tmp_path)
    for model_path in (model_file, hintless):
        errors = []
        for index, like in enumerate(((), ("--like", right, "--like", other))):
            out = tmp_path / f"{model_path.parent.name}-{index}"
            assert run_colorizer("colorize", "album", "--out", out, "--model", model_path, *like) == 0, (
                capfd.readouterr()
            )
            coloured = [np.asarray(Image.open(out / name)) for name in ("a.png", "b.png")]
            truth = [china, china[:, ::-1]]
            errors.append(
                np.mean(
                    [
                        np.abs(
                            rgb_to_codes(one)[..., 1:] - rgb_to_codes(np.ascontiguousarray(two))[..., 1:].astype(float)
                        )
                        for one, two in zip(coloured, truth, strict=True)
                    ]
                )
            )
        assert errors[1] < 0.8 * errors[0]


def test_bad_references(model_file, pictures, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    photograph = write(tmp_path / "a.png", pictures["coffee.png"])
    grey = write(tmp_path / "grey.png", np.asarray(Image.fromarray(pictures["coffee.png"]).convert("L")))
    (tmp_path / "text.jpg").write_text("no photograph", encoding="utf-8")
    for name, told in {
        "grey.png": "is grey: a photograph for --like has to be in colour",
        "text.jpg": "text.jpg",
        "gone.jpg": "gone.jpg",
    }.items():
        arguments = (photograph, "--out", "out", "--model", model_file, "--like", tmp_path / name)
        assert run_colorizer("colorize", *arguments) == 1
        [line] = capfd.readouterr().err.strip().splitlines()
        assert told in line
        assert not list((tmp_path / "out").iterdir())
    assert grey.exists()


def test_hints_of_the_user_win(model, pictures):
    """Around them the votes do not count; elsewhere they do."""
    codes = rgb_to_codes(as_seen(pictures["flower.jpg"])[::8, ::8])
    voting = voting_model(model, References.of([[codes] * len(SCALES)], load_descriptors()))
    lightness = codes[None, ..., 0]
    hints = no_hints(lightness.shape)
    hints[0, 16, 16] = 190, 60, 1
    blended, without = voting.predict(lightness, hints=hints), voting.predict(lightness)
    seen = model.predict(lightness, hints=hints)
    assert np.abs(blended[0, 13:20, 13:20] - without[0, 13:20, 13:20]).mean() > 5
    assert np.linalg.norm(blended[0, 16, 16] - (190, 60)) < 0.95 * np.linalg.norm(without[0, 16, 16] - (190, 60))
    assert blended.shape == seen.shape
    assert blended.dtype == seen.dtype == np.float32


def test_votes_become_hints_where_they_are_sure():
    """One in a cell, of 2 x 2 px in a picture of 32 px; none where nothing is sure."""
    confidence = np.zeros((32, 48), np.float32)
    confidence[5, 7], confidence[5, 6], confidence[20, 30] = 0.9, 0.8, 0.4
    chroma = np.full((32, 48, 2), 100, np.float32)
    chroma[5, 7] = 150.4, 300
    planes = vote_hints(Votes(chroma, confidence))
    assert planes[..., 2].sum() == 1
    np.testing.assert_array_equal(planes[5, 7], (150, 255, 1))


def test_a_picture_recognises_itself(pictures):
    codes = rgb_to_codes(as_seen(pictures["coffee.png"]))
    votes = References.of([[codes] * len(SCALES)], load_descriptors()).vote(codes[..., 0])
    assert votes.confidence.mean() > 0.8
    sure = votes.confidence > 0.9
    assert np.abs(votes.chroma - codes[..., 1:])[sure].mean() < 4
    assert codes_to_rgb(np.dstack([codes[..., :1], votes.chroma])).shape == codes.shape


def test_a_reference_without_any_likeness_is_silent(pictures):
    flat = np.full((64, 64, 3), (120, 180, 60), np.uint8)
    references = References.of([[flat] * len(SCALES)], load_descriptors())
    votes = references.vote(rgb_to_codes(as_seen(pictures["coffee.png"]))[..., 0])
    assert votes.confidence.mean() < 0.02
    assert np.isfinite(votes.chroma).all()


@pytest.mark.parametrize("shape", [(8, 128), (32, 32), (33, 70), (1, 4)])
def test_any_shape(shape, pictures):
    codes = rgb_to_codes(as_seen(pictures["coffee.png"]))
    votes = References.of([[codes] * len(SCALES)], load_descriptors()).vote(np.zeros(shape, np.uint8))
    assert votes.chroma.shape == (*shape, 2)
    assert votes.confidence.shape == shape


def test_the_palette_knows_a_lightness_of_one_colour():
    """All dark pixels are blue; bright ones are red or green; there are no medium ones."""
    dark, red, green = ([[30, 128, 60]] * 100), ([[220, 200, 128]] * 50), ([[220, 60, 128]] * 50)
    chroma, certainty = Palette.of(np.array(dark + red + green, np.float32)).at(np.array([30, 220, 125]))
    np.testing.assert_allclose(chroma[0], (128, 60), atol=0.1)
    assert certainty[0] > 0.99
    assert max(certainty[1:]) < 0.01


def test_the_export_is_the_encoder(photographs, tmp_path, monkeypatch):
    """And it is kept: the second time nothing is exported, unless the copy is damaged."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lightness = np.tile(photographs[0, :, :, 0], (2, 3))
    found = load_descriptors()(lightness)
    with torch.inference_mode():
        network = DenseDescriptors(load_efficientnet_lite0()).eval()
        expected = network(torch.from_numpy(lightness)[None, None].float())[0].permute(1, 2, 0)
    assert found.shape == (4, 6, 432)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)

    [kept] = (tmp_path / "colorizer").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    np.testing.assert_array_equal(load_descriptors()(lightness), found)
    assert kept.read_bytes() == whole
    monkeypatch.setattr("colorizer.references.encoder_export.descriptors_as_onnx", None)
    np.testing.assert_array_equal(load_descriptors()(lightness), found)


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file in the folder's place", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert load_descriptors()(np.zeros((32, 64), np.uint8)).shape == (2, 4, 432)


def test_references_of_a_model_of_luma_are_read_as_luma(model):
    """L of the references is made as L of the photographs is, so that both can be compared."""
    blue = Photograph(pixels=np.full((64, 64, 3), (0, 0, 255), np.uint8))
    luma = replace(model, info=replace(model.info, lightness_is="luma"))
    for seen_by, expected in ((model, 82), (luma, 29)):
        sizes = reference_codes(blue, seen_by, 32)
        assert [codes.shape[0] for codes in sizes] == [round(32 * scale) for scale in SCALES]
        assert all((codes[..., 0] == expected).all() for codes in sizes)
