import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from colorizer.core.lab import codes_to_rgb
from colorizer.networks.pooled_features import PooledFeatures
from colorizer.scoring.evaluation import constant_chroma, evaluate_images
from colorizer.scoring.frechet import frechet_distance


@pytest.mark.parametrize("counts", [(200, 300), (30, 25)])  # more and fewer images than features
def test_the_distance_is_that_of_the_formula(counts):
    random = np.random.default_rng(0)
    mixed = random.normal(size=(40, 40))
    features, truth = (random.normal(mean, 1, (n, 40)) @ mixed for mean, n in zip((0.3, 0), counts, strict=True))
    covariances = [np.cov(x, rowvar=False) for x in (features, truth)]
    difference = features.mean(axis=0) - truth.mean(axis=0)
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = difference @ difference + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(features, truth) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(truth, features) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(truth, truth[::-1]) == pytest.approx(0, abs=1e-9 * expected)


def test_features_are_of_an_image_whatever_its_size_and_company(photographs):
    rgb = np.stack([codes_to_rgb(codes) for codes in photographs[:5]])
    pooled_features = PooledFeatures(torch.device("cpu"))
    features = pooled_features(rgb)
    assert features.shape == (5, 320)
    np.testing.assert_allclose(pooled_features(rgb[3:4])[0], features[3], rtol=0, atol=1e-4 * features.std())
    larger = pooled_features(rgb.repeat(2, axis=1).repeat(2, axis=2))
    same, others = (np.abs(larger - x).mean() for x in (features, np.roll(features, 1, axis=0)))
    assert same < 0.5 * others


def test_better_colours_are_nearer_to_the_truth(photographs):
    truth = photographs[..., 1:].astype(np.float32)
    images = np.arange(len(photographs))

    def summary(**options):
        chroma = iter(0.8 * (truth - 128) + 128)
        methods = {
            "pale": lambda lightness: np.stack([next(chroma) for _ in lightness]),
            "sepia": constant_chroma((135.0, 150.0)),
            "grey": constant_chroma((128.0, 128.0)),
        }
        evaluation = evaluate_images(photographs, images, methods, on_images=lambda count: None, **options)
        return evaluation, evaluation.summary()

    pooled_features = PooledFeatures(torch.device("cpu"))
    evaluation, scores = summary(batch_size=64, pooled_features=pooled_features)
    pale, sepia, grey = (scores[method]["frechet_distance"] for method in ("pale", "sepia", "grey"))
    assert 0 < 10 * pale < min(sepia, grey)
    known = evaluation.features["truth"]
    assert known.shape == (64, 320)
    _, again = summary(batch_size=23, pooled_features=pooled_features, true_features=known)
    assert again["sepia"]["frechet_distance"] == pytest.approx(sepia, rel=1e-4)
    _, without = summary(batch_size=64)
    assert "frechet_distance" not in without["pale"]
    assert without["pale"]["psnr"] == scores["pale"]["psnr"]
