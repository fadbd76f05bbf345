"""A palette draws what the whole picture would be."""

import numpy as np
import pytest

from colorizer.core.lab import displayable_rgb, rgb_to_lightness
from colorizer.page.palette import MOST_COLORS, Palette


def picture_of(palette: Palette, strength: float) -> np.ndarray:
    return np.asarray(palette.picture(strength))


@pytest.fixture
def smooth() -> tuple[np.ndarray, np.ndarray]:
    """L in rows, chroma in columns, some of it outside sRGB."""
    height, width = 200, 300
    lightness = np.broadcast_to(np.linspace(5, 250, height, dtype=np.float32)[:, None], (height, width))
    angle = np.linspace(0, 2 * np.pi, width, dtype=np.float32)
    ab = np.broadcast_to(np.stack([40 * np.cos(angle), 40 * np.sin(angle)], axis=-1), (height, width, 2))
    return lightness, ab


@pytest.mark.parametrize("strength", [0, 0.5, 1, 2])
def test_it_draws_what_the_full_size_would_be(smooth, strength):
    lightness, ab = smooth
    drawn = picture_of(Palette.of(lightness, ab), strength)
    difference = np.abs(drawn.astype(int) - displayable_rgb(lightness, ab * np.float32(strength)))
    assert difference.mean() < 1.2
    assert np.abs(rgb_to_lightness(drawn) - lightness).mean() < 0.6  # half a code by rounding


def test_a_picture_of_many_colours_has_few_of_them():
    """So that a move of the slider takes the same time whatever the picture is."""
    random = np.random.default_rng(0)
    lightness = random.uniform(0, 255, (600, 600)).astype(np.float32)
    ab = random.uniform(-40, 40, (600, 600, 2)).astype(np.float32)
    palette = Palette.of(lightness, ab)
    assert 1000 < len(palette.lightness) <= MOST_COLORS
    assert palette.num_bytes < 2 * lightness.size + 12 * MOST_COLORS + 1
    difference = np.abs(picture_of(palette, 1).astype(int) - displayable_rgb(lightness, ab))
    assert difference.mean() < 6


def test_chroma_that_no_colour_has(smooth):
    lightness, ab = smooth
    drawn = picture_of(Palette.of(lightness, ab * np.float32(9)), 1)
    assert np.abs(rgb_to_lightness(drawn) - lightness).mean() < 0.6
