import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.color import lab2rgb, rgb2lab

from colorizer.core.lab import (
    LIGHTNESS_SCALE,
    Normalization,
    codes_to_lab,
    codes_to_rgb,
    displayable_rgb,
    lab_to_rgb,
    outside_srgb_table,
    rgb_to_codes,
    rgb_to_lightness,
)

small_images = arrays(np.uint8, (4, 5, 3), elements=st.integers(0, 255))


@given(small_images)
def test_rgb_to_codes_agrees_with_scikit_image(rgb):
    lab = rgb2lab(rgb)
    expected = np.stack([lab[..., 0] * 255 / 100, lab[..., 1] + 128, lab[..., 2] + 128], axis=-1)
    assert np.abs(rgb_to_codes(rgb) - expected).max() <= 2.5  # rounding, and OpenCV's 8-bit tables


@given(small_images)
def test_rgb_survives_the_round_trip(rgb):
    back = codes_to_rgb(rgb_to_codes(rgb)).astype(int)
    assert np.abs(back - rgb).mean() < 6
    assert np.abs(rgb_to_codes(back.astype(np.uint8)).astype(int) - rgb_to_codes(rgb)).max() <= 3


@given(small_images)
def test_lab_to_rgb_agrees_with_scikit_image(rgb):
    lab = rgb2lab(rgb)
    assert np.abs(lab_to_rgb(lab.astype(np.float32)).astype(int) - np.rint(lab2rgb(lab) * 255)).max() <= 1


def test_codes_to_lab_leaves_its_argument_alone():
    codes = np.array([[[255, 128, 128]]], np.float32)
    assert codes_to_lab(codes).tolist() == [[[100, 0, 0]]]
    assert codes.tolist() == [[[255, 128, 128]]]


def test_black_white_and_grey_are_neutral():
    for grey in (0, 17, 128, 255):
        assert rgb_to_codes(np.full((1, 1, 3), grey, np.uint8))[0, 0, 1:].tolist() == [128, 128]


@given(arrays(np.uint8, (3, 4), elements=st.integers(0, 255)))
def test_normalization_reaches_the_ends_and_returns(codes):
    normalization = Normalization()
    lightness, chroma = (
        normalization.lightness(codes.astype(np.float32)),
        normalization.chroma(codes.astype(np.float32)),
    )
    assert np.abs(lightness).max() <= 1
    assert np.abs(chroma).max() <= 1
    assert (normalization.chroma_codes(chroma) == codes).all()


def test_normalization_ends():
    normalization = Normalization()
    assert [normalization.lightness(code) for code in (0, 255)] == [-1, 1]
    assert [normalization.chroma(code) for code in (0, 128)] == [-1, 0]


@pytest.fixture(scope="module")
def outside():
    return outside_srgb_table()


@given(rgb=small_images)
def test_no_displayable_colour_is_outside(outside, rgb):
    codes = rgb_to_codes(rgb)
    assert not outside[codes[..., 0], codes[..., 1], codes[..., 2]].any()


def test_impossible_colours_are_outside(outside):
    assert outside[0, 200, 128]  # a saturated black
    assert outside[255, 128, 60]  # a saturated white
    assert outside.mean() == pytest.approx(0.811, abs=0.002)  # most code triples are no colours


def test_lightness_of_rgb_is_that_of_skimage():
    rgb = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    np.testing.assert_allclose(rgb_to_lightness(rgb), rgb2lab(rgb)[..., 0] * LIGHTNESS_SCALE, atol=0.03)
    greys = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_allclose(
        rgb_to_lightness(greys), rgb_to_lightness(np.repeat(greys[..., None], 3, axis=-1)), atol=0.03
    )


def test_displayable_colours_come_back_and_others_keep_lightness_and_hue():
    rgb = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    lab = rgb2lab(rgb)
    lightness = lab[..., 0] * LIGHTNESS_SCALE
    np.testing.assert_array_equal(displayable_rgb(lightness, lab[..., 1:]), rgb)

    far = lab[..., 1:] * 3
    result = rgb2lab(displayable_rgb(lightness, far))
    np.testing.assert_allclose(result[..., 0] * LIGHTNESS_SCALE, lightness, atol=0.8)
    chroma, wanted = np.hypot(*np.moveaxis(result[..., 1:], -1, 0)), np.hypot(*np.moveaxis(far, -1, 0))
    clear = chroma > 20
    cosine = (result[..., 1:] * far).sum(axis=-1)[clear] / (chroma * wanted)[clear]
    assert clear.mean() > 0.5
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 3
