"""The scores against scikit-image's, and on images with known scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colorizer.core.lab import codes_to_lab, codes_to_rgb, mean_chroma
from colorizer.scoring.ciede2000 import chroma_difference
from colorizer.scoring.metrics import (
    Coloring,
    ab_deviation,
    ab_histogram,
    colorfulness,
    histogram_distance,
    image_properties,
    psnr,
    score_images,
)
from colorizer.scoring.ssim import Windows, ssim

images = arrays(np.uint8, (2, 8, 9, 3), elements=st.integers(0, 255))

# a*, b*, true a*, true b*, CIEDE2000: those of the pairs of Sharma, Wu, Dalal (2005) that share their lightness.
SHARMA = [
    (2.6772, -79.7751, 0.0000, -82.7485, 2.0425),
    (3.1571, -77.2803, 0.0000, -82.7485, 2.8615),
    (2.8361, -74.0200, 0.0000, -82.7485, 3.4412),
    (-1.3802, -84.2814, 0.0000, -82.7485, 1.0000),
    (-1.1848, -84.8006, 0.0000, -82.7485, 1.0000),
    (-0.9009, -85.5211, 0.0000, -82.7485, 1.0000),
    (0.0000, 0.0000, -1.0000, 2.0000, 2.3669),
    (2.4900, -0.0010, -2.4900, 0.0009, 7.1792),
    (2.4900, -0.0010, -2.4900, 0.0011, 7.2195),
    (2.4900, -0.0010, -2.4900, 0.0012, 7.2195),
    (-0.0010, 2.4900, 0.0009, -2.4900, 4.8045),
    (-0.0010, 2.4900, 0.0011, -2.4900, 4.7461),
    (2.5000, 0.0000, 0.0000, -2.5000, 4.3065),
    (2.5000, 0.0000, 3.1736, 0.5854, 1.0000),
    (2.5000, 0.0000, 3.2972, 0.0000, 1.0000),
    (2.5000, 0.0000, 1.8634, 0.5757, 1.0000),
    (2.5000, 0.0000, 3.2592, 0.3350, 1.0000),
]


def coloring_of(codes):
    """Codes (n, H, W, 3), float32 or uint8."""
    return Coloring(codes[..., 0].astype(np.uint8), codes[..., 1:])


def reference(codes, truth):
    """The scores of one image (H, W, 3) by scikit-image."""
    lab, true_lab, rgb, true_rgb = (f(c) for f in (codes_to_lab, codes_to_rgb) for c in (codes, truth))
    window = min(7, *(side - 1 + side % 2 for side in rgb.shape[:2]))
    return {
        "psnr": peak_signal_noise_ratio(true_rgb, rgb) if (rgb != true_rgb).any() else 100,
        "ssim": structural_similarity(rgb, true_rgb, win_size=window, channel_axis=-1, data_range=255),
        "ciede2000": deltaE_ciede2000(lab.astype(np.float64), true_lab.astype(np.float64)).mean(),
    }


def assert_as_scikit_image(codes, truth):
    scores = score_images(coloring_of(codes), coloring_of(truth))
    for index in range(len(truth)):
        for name, expected in reference(codes[index], truth[index]).items():
            assert scores[name][index] == pytest.approx(expected, abs=2e-5 if name == "ssim" else 2e-4), name


@pytest.mark.parametrize("method", ["dull", "noisy", "constant", "grey", "shuffled"])
def test_scores_agree_with_scikit_image(photographs, method):
    truth = photographs[:12]
    codes = truth.astype(np.float32)
    ab = codes[..., 1:]
    codes[..., 1:] = {
        "dull": 128 + 0.6 * (ab - 128),
        "noisy": np.clip(ab + np.random.default_rng(0).normal(0, 12, ab.shape), 0, 255),
        "constant": np.array([134.3, 140.7]),
        "grey": 128,
        "shuffled": ab[::-1] + np.array([0.1, 0.2]),  # else hues are opposite, and rounding chooses
    }[method]
    assert_as_scikit_image(codes, truth)


@pytest.mark.parametrize("shape", [(8, 8), (7, 7), (6, 9), (3, 4), (33, 21)])
def test_scores_of_small_and_odd_images_agree_with_scikit_image(photographs, shape):
    truth = np.tile(photographs[:3], (1, 2, 1, 1))[:, : shape[0], : shape[1]]
    codes = np.roll(truth, 1, axis=1).astype(np.float32)
    codes[..., 0] = truth[..., 0]
    assert_as_scikit_image(codes, truth)


@pytest.mark.parametrize("lightness", [0, 128, 255])
def test_constant_images_agree_with_scikit_image(lightness):
    truth = np.full((2, 16, 16, 3), (lightness, 140, 120), np.uint8)
    codes = np.full((2, 16, 16, 3), (lightness, 128, 150), np.float32)
    assert_as_scikit_image(codes, truth)


def test_the_truth_scores_perfectly(photographs):
    truth = coloring_of(photographs[:5])
    scores = score_images(coloring_of(photographs[:5].astype(np.float32)), truth)
    for name, best in (("psnr", 100), ("ssim", 1), ("ciede2000", 0), ("ab_error", 0)):
        assert (scores[name] == best).all()


@pytest.mark.parametrize("pair", SHARMA)
def test_colour_difference_of_published_pairs(pair):
    *colors, expected = pair
    assert chroma_difference(*np.array(colors, np.float32)[:, None])[0] == pytest.approx(expected, abs=2e-3)


def test_colour_difference_agrees_with_scikit_image_everywhere():
    colors = np.random.default_rng(0).uniform(-110, 110, (4, 20_000)).astype(np.float32)
    a, b, true_a, true_b = colors
    lab, true_lab = (
        np.stack([np.full_like(a, 50), *ab], axis=-1).astype(np.float64) for ab in (colors[:2], colors[2:])
    )
    difference = chroma_difference(a, b, true_a, true_b)
    np.testing.assert_allclose(difference, deltaE_ciede2000(lab, true_lab), atol=2e-3)
    np.testing.assert_allclose(difference, chroma_difference(true_a, true_b, a, b), atol=2e-3)
    assert (chroma_difference(a, b, a, b) == 0).all()


@given(images, images)
def test_psnr_agrees_with_scikit_image(first, second):
    expected = [
        100 if (one == other).all() else peak_signal_noise_ratio(one, other)
        for one, other in zip(first, second, strict=True)
    ]
    assert psnr(first, second) == pytest.approx(expected, abs=1e-5)


@given(images, images)
def test_ssim_agrees_with_scikit_image(first, second):
    expected = [
        structural_similarity(one, other, channel_axis=-1, data_range=255)
        for one, other in zip(first, second, strict=True)
    ]
    assert ssim(Windows(first), Windows(second)) == pytest.approx(expected, abs=1e-4)


def test_ab_error_counts_codes(photographs):
    codes = photographs[:2].astype(np.float32)
    codes[..., 1] += 3
    codes[1, ..., 2] -= 1.5
    truth = coloring_of(photographs[:2])
    assert score_images(coloring_of(codes), truth)["ab_error"] == pytest.approx([1.5, 2.25])
    grey = photographs[:2].copy()
    grey[..., 1:] = 128
    assert ab_deviation(truth) == pytest.approx(score_images(coloring_of(grey), truth)["ab_error"])


def test_colourfulness_follows_its_formula():
    rgb = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    red, green, blue = (rgb[..., channel].astype(float) for channel in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    expected = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    grey = np.repeat(rgb[..., :1], 3, axis=-1)
    assert colorfulness(np.stack([rgb, grey])) == pytest.approx([expected, 0])


def test_properties_of_flat_and_striped_images(photographs):
    flat = np.full((1, 4, 6, 3), (51, 128 + 3, 128 - 4), np.uint8)  # L* is 20
    stripes = flat.copy()
    stripes[:, :, ::2, 0] = 102  # L* is 40
    codes = np.concatenate([flat, stripes])
    properties = image_properties(codes[..., 0], coloring_of(codes))
    assert properties["lightness"] == pytest.approx([20, 30])
    assert properties["chroma"] == pytest.approx([5, 5])
    assert properties["texture"] == pytest.approx([0, 20 * 20 / 38])  # of 4 x 5 + 3 x 6 steps, 4 x 5 are of 20
    chroma = image_properties(photographs[..., 0], coloring_of(photographs))["chroma"]
    assert chroma == pytest.approx([mean_chroma(image) for image in photographs], rel=1e-5)


def test_ssim_takes_tiny_images():
    black = Windows(np.zeros((3, 4, 5, 3), np.uint8))
    assert ssim(black, black).tolist() == [1, 1, 1]


def test_histogram_bins_are_ten_wide_and_hold_every_pixel():
    codes = np.array([[128, 128 - 110, 128 + 110], [128, 128, 128], [128, 137, 118], [0, 0, 255]], np.float32)
    counts = ab_histogram(codes[:, 1] - 128, codes[:, 2] - 128)
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
