"""Colours that are offered for a place."""

import re

import numpy as np

from colorizer.core.lab import codes_to_lab, rgb_to_codes
from colorizer.page.suggestions import MOST_COLORS, hex_color, suggest_colors


def ab_of(color: str) -> np.ndarray:
    assert re.fullmatch("#[0-9a-f]{6}", color)
    return codes_to_lab(rgb_to_codes(np.array([[list(bytes.fromhex(color[1:]))]], np.uint8)))[0, 0, 1:]


def test_the_models_own_colour_comes_first_then_those_of_pixels_as_light():
    lightness = np.full((20, 20), 140, np.uint8)
    lightness[:, 10:] = 40
    ab = np.zeros((20, 20, 2), np.float32)
    ab[:10, :10], ab[10:, :10], ab[:, 10:] = (30, 20), (-30, 30), (20, -30)
    offered = np.array([ab_of(color) for color in suggest_colors(lightness, [ab], 2, 2)])
    np.testing.assert_allclose(offered, [(30, 20), (-30, 30), (0, 0)], atol=3)
    assert np.abs(ab_of(suggest_colors(lightness, [ab], 2, 15)[0]) - (20, -30)).max() < 2


def test_what_was_told_is_offered_elsewhere():
    lightness = np.full((20, 20), 140, np.uint8)
    plain, told = (np.full((20, 20, 2), value, np.float32) for value in (10, 10))
    told[15:, 15:] = (-25, 25)
    offered = [ab_of(color) for color in suggest_colors(lightness, [told, plain], 2, 2)]
    assert min(np.linalg.norm(color - (-25, 25)) for color in offered) < 4


def test_the_colours_are_few_and_differ():
    random = np.random.default_rng(0)
    lightness = random.integers(100, 160, (40, 40), dtype=np.uint8)
    ab = random.uniform(-40, 40, (40, 40, 2)).astype(np.float32)
    offered = np.array([ab_of(color) for color in suggest_colors(lightness, [ab], 20, 20)])
    assert MOST_COLORS - 1 <= len(offered) <= MOST_COLORS
    apart = np.linalg.norm(offered[:, None] - offered[None], axis=-1)[np.triu_indices(len(offered), 1)]
    assert apart.min() > 8


def test_a_colour_that_srgb_has_not_keeps_its_hue():
    a, b = ab_of(hex_color(230, np.array([60, 60], np.float32)))
    assert 5 < a < 50
    assert abs(a - b) < 3
