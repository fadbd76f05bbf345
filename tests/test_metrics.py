import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import peak_signal_noise_ratio

from colorizer.evaluation import constant_chroma, evaluate_images
from colorizer.lab import codes_to_rgb
from colorizer.metrics import ab_histogram, colourfulness, histogram_distance, psnr, score_image, ssim

images = arrays(np.uint8, (8, 9, 3), elements=st.integers(0, 255))


@given(images, images)
def test_psnr_agrees_with_scikit_image(first, second):
    expected = 100 if (first == second).all() else peak_signal_noise_ratio(first, second)
    assert psnr(first, second) == pytest.approx(expected)


def test_the_truth_scores_perfectly(photographs):
    scores = score_image(photographs[0].astype(np.float32), photographs[0])
    assert (scores["psnr"], scores["ssim"], scores["ciede2000"], scores["ab_error"]) == (100, 1, 0, 0)


def test_ab_error_counts_codes(photographs):
    codes = photographs[0].astype(np.float32)
    codes[..., 1] += 3
    codes[..., 2] -= 1.5
    assert score_image(codes, photographs[0])["ab_error"] == pytest.approx(2.25)


def test_colourfulness_follows_its_formula():
    rgb = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    red, green, blue = (rgb[..., channel].astype(float) for channel in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    expected = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    assert colourfulness(rgb) == pytest.approx(expected)
    assert colourfulness(np.repeat(rgb[..., :1], 3, axis=-1)) == 0


def test_ssim_takes_small_images():
    assert ssim(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)) == 1


def test_histogram_bins_are_ten_wide_and_hold_every_pixel():
    codes = np.array([[128, 128 - 110, 128 + 110], [128, 128, 128], [128, 137, 118], [0, 0, 255]], np.float32)
    counts = ab_histogram(codes)
    assert counts.shape == (22, 22)
    assert counts.sum() == 4
    assert counts[0, 21] == 2
    assert counts[11, 11] == 1
    assert counts[11, 10] == 1


def test_histogram_distance_is_total_variation():
    first, second = np.zeros((22, 22)), np.zeros((22, 22))
    first[0, 0], second[0, 0], second[5, 5] = 4, 1, 3
    assert histogram_distance(first, second) == 0.75
    assert histogram_distance(first, first * 2) == 0


def test_evaluation_ranks_and_averages_over_images(photographs):
    test_images = np.array([3, 9, 4, 40, 41])

    done = []
    predictions = iter(
        photographs[test_images][..., 1:].astype(np.float32) + np.float32([0, 0, 20, 0, 0])[:, None, None, None]
    )
    evaluation = evaluate_images(
        photographs,
        test_images,
        {
            "model": lambda lightness: np.stack([next(predictions) for _ in lightness]),
            "mean_chroma": constant_chroma((140.0, 120.0)),
            "grey": constant_chroma((128.0, 128.0)),
        },
        batch_size=2,
        on_images=done.append,
    )
    assert done == [2, 2, 1]
    assert evaluation.scores["image"].tolist() == test_images.tolist()
    assert evaluation.ranked()[-1] == 4
    summary = evaluation.summary()
    assert summary["model"]["ab_error"] == pytest.approx(20 / 5)
    assert summary["grey"]["colourfulness"] == 0
    assert summary["grey"]["colourfulness_gap"] == 1
    truth = np.mean([colourfulness(codes_to_rgb(photographs[image])) for image in test_images])
    assert summary["truth"]["colourfulness"] == pytest.approx(truth, abs=1e-4)
    expected = np.abs(photographs[test_images][..., 1:] - np.array([140.0, 120.0])).mean()
    assert summary["mean_chroma"]["ab_error"] == pytest.approx(expected, abs=1e-4)
    assert all(counts.sum() == 5 * 32 * 32 for counts in evaluation.histograms.values())
    assert set(evaluation.histograms) == {"model", "mean_chroma", "grey", "truth"}
    assert summary["grey"]["balance"] == pytest.approx(1 + summary["grey"]["histogram_distance"], abs=1e-3)
    relative = summary["model"]["ab_error"] / summary["grey"]["ab_error"]
    assert summary["model"]["balance"] == pytest.approx(relative + summary["model"]["histogram_distance"], abs=1e-3)
