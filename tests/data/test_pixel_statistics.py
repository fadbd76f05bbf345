import cv2
import numpy as np
import pytest

from colorizer.core.errors import UserError
from colorizer.core.lab import codes_to_rgb, outside_srgb_table
from colorizer.core.store import iterate_store
from colorizer.data.pixel_statistics import check_encoding, measure


def measured(codes):
    return measure(iterate_store(codes))


def refuse(codes, message):
    with pytest.raises(UserError, match=message):
        check_encoding(measured(codes), max_outside_srgb=0.01)


def test_statistics_are_exact(photographs):
    statistics = measured(photographs)
    for channel, name in enumerate("LAB"):
        codes = photographs[..., channel].astype(np.float64)
        assert statistics.channels[name]["minimum"] == codes.min()
        assert statistics.channels[name]["maximum"] == codes.max()
        assert statistics.channels[name]["mean"] == pytest.approx(codes.mean(), abs=1e-4)
        assert statistics.channels[name]["deviation"] == pytest.approx(codes.std(), abs=1e-4)
    expected = np.histogram2d(*photographs[..., 1:].reshape(-1, 2).T, bins=256, range=[[0, 256]] * 2)[0]
    assert (statistics.ab_counts == expected).all()
    assert statistics.num_images == 64
    assert statistics.image_shape == (32, 32)


@pytest.mark.parametrize("code", [101, 128, 255])
def test_what_does_not_vary_has_no_deviation(code):
    """OpenCV gives sums of squares that are short of the whole number by a millionth."""
    statistics = measured(np.full((3, 64, 64, 3), code, np.uint8))
    assert [statistics.channels[name]["deviation"] for name in "LAB"] == [0, 0, 0]


def test_photographs_pass_and_their_lightness_is_lstar(photographs):
    statistics = measured(photographs)
    check_encoding(statistics, max_outside_srgb=0.01)
    assert statistics.lightness_is == "L*"
    assert statistics.outside_srgb == 0


def test_luma_in_place_of_lightness_is_noticed(photographs):
    luma = photographs.copy()
    for codes in luma:
        codes[..., 0] = cv2.cvtColor(codes_to_rgb(codes), cv2.COLOR_RGB2GRAY)
    statistics = measured(luma)
    check_encoding(statistics, max_outside_srgb=0.01)
    assert statistics.lightness_is == "luma"


def test_lightness_from_0_to_100_is_refused(photographs):
    codes = photographs.copy()
    codes[..., 0] = codes[..., 0] * (100 / 255)
    refuse(codes, "looks like L\\* from 0 to 100")


def test_dark_photographs_are_no_mistake():
    dark = np.full((4, 8, 8, 3), 128, np.uint8)
    dark[..., 0] = 90
    check_encoding(measured(dark), max_outside_srgb=0.01)


def test_a_picture_of_more_pixels_than_a_float_counts():
    pixels = np.full((1, 4100, 4100, 3), 128, np.uint8)
    pixels[:, ::2, :, 0] = 255
    statistics = measured(pixels)
    assert statistics.ab_counts[128, 128] == 4100 * 4100
    assert (statistics.channels["L"]["mean"], statistics.channels["L"]["deviation"]) == (191.5, 63.5)


def test_chroma_without_its_offset_is_refused(photographs):
    signed = photographs.copy()
    signed[..., 1:] -= 128  # wraps around, as uint8 does
    refuse(signed, "no screen shows")
    positive = photographs.copy()
    positive[..., 1:] = np.maximum(positive[..., 1:].astype(int) - 128, 0)
    refuse(positive, "without the offset")


@pytest.mark.parametrize("wrong", ["rgb", "inverted", "wrong pairs", "swapped"])
def test_a_wrong_encoding_is_refused(photographs, wrong):
    codes = photographs.copy()
    if wrong == "rgb":
        codes = np.stack([codes_to_rgb(image) for image in photographs])
    elif wrong == "inverted":
        codes[..., 0] = 255 - codes[..., 0]
    elif wrong == "wrong pairs":
        codes[..., 0] = np.roll(codes[..., 0], 1, axis=0)
    else:
        codes[..., 1:] = codes[..., :0:-1].copy()
    refuse(codes, "no screen shows")


def test_every_pixel_outside_srgb_is_counted_however_it_is_read():
    codes = np.random.default_rng(0).integers(0, 256, (40, 50, 30, 3), dtype=np.uint8)
    outside = outside_srgb_table()[tuple(np.moveaxis(codes, -1, 0))].mean()
    whole, by_image = measured(codes), measure(iterate_store(codes, chunk_bytes=1))
    assert whole.outside_srgb == by_image.outside_srgb == round(outside, 6)
    assert whole.channels == by_image.channels
    assert (whole.ab_counts == by_image.ab_counts).all()
