"""The quick colour maths of photographs beside the exact one of colorizer/core/lab.py."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from colorizer.core.lab import displayable_rgb, rgb_to_lightness
from colorizer.data.sample import built_in_photographs
from colorizer.pixels.colors import displayable, lightness_of

GENERATOR = np.random.default_rng(0)
CHINA = dict(built_in_photographs())["china.jpg"]


def test_lightness_is_that_of_the_training():
    rgb = GENERATOR.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert np.abs(lightness_of(rgb) - rgb_to_lightness(rgb)).max() < 0.05
    greys = np.arange(256, dtype=np.uint8)[None]
    assert np.abs(lightness_of(greys) - rgb_to_lightness(greys)).max() < 1e-4
    assert np.abs(lightness_of(rgb) - lightness_of(rgb.astype(np.uint16) * 257)).max() < 0.05


@pytest.mark.parametrize("spread", [0, 5, 30, 150])
def test_lightness_stays_within_a_code(spread):
    """Whatever the chroma is; the largest of rounding RGB alone is 0.63."""
    lightness = GENERATOR.uniform(0, 255, (200, 300)).astype(np.float32)
    ab = GENERATOR.normal(0, spread, (200, 300, 2)).astype(np.float32)
    rgb = displayable(lightness, ab, np.dtype(np.uint8))
    assert np.abs(rgb2lab(rgb)[..., 0] * 2.55 - lightness).max() < 0.7
    wide = displayable(lightness, ab, np.dtype(np.uint16))
    assert np.abs(rgb2lab(wide)[..., 0] * 2.55 - lightness).max() < 0.05


@pytest.mark.parametrize("chroma", [(0, 0), (6, -9), (-20, 25), (30, 30)])
def test_colours_are_those_of_the_exact_maths(chroma):
    """Within a code, but at the edge of sRGB, where the two do not stop at the same share of the chroma."""
    lightness = rgb_to_lightness(CHINA)
    ab = np.broadcast_to(np.array(chroma, np.float32), (*lightness.shape, 2)).copy()
    difference = np.abs(displayable(lightness, ab, np.dtype(np.uint8)).astype(int) - displayable_rgb(lightness, ab))
    assert difference.max() <= 4
    assert (difference > 1).mean() < 0.002
    assert (difference > 0).mean() < 0.1


def test_black_and_white_stay():
    for code in (0, 255):
        lightness = np.full((3, 3), code, np.float32)
        assert (displayable(lightness, np.full((3, 3, 2), 20, np.float32), np.dtype(np.uint8)) == code).all()
