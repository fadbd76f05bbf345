import numpy as np
import pytest

from colorizer.core.hints import no_hints, reveal
from colorizer.core.lab import NEUTRAL
from colorizer.hint_scores.levin import neighbour_weights, spread_hints


def spread(lightness, hints):
    return spread_hints(neighbour_weights(lightness), hints)


def by_definition(lightness, row, column):
    """The weights of the neighbours of one pixel, by (row, column), one after another."""
    window = [
        (r, c)
        for r in range(max(0, row - 1), min(lightness.shape[0], row + 2))
        for c in range(max(0, column - 1), min(lightness.shape[1], column + 2))
    ]
    values = np.array([lightness[place] for place in window], float)
    variance = max(values.var(), 1 / 12)
    weights = {
        place: np.exp(-((value - lightness[row, column]) ** 2) / (0.6 * variance))
        for place, value in zip(window, values, strict=True)
        if place != (row, column)
    }
    return {place: weight / sum(weights.values()) for place, weight in weights.items()}


@pytest.mark.parametrize("place", [(0, 0), (0, 5), (6, 3), (8, 11)])
def test_weights_are_those_of_the_definition(place):
    lightness = np.random.default_rng(0).integers(0, 256, (9, 12))
    row = neighbour_weights(lightness.astype(np.uint8))[[place[0] * 12 + place[1]]].toarray().reshape(9, 12)
    expected = np.zeros((9, 12))
    for neighbour, weight in by_definition(lightness, *place).items():
        expected[neighbour] = weight
    np.testing.assert_allclose(row, expected, rtol=1e-12)


def test_two_regions_with_a_stroke_each_get_two_colours():
    """The weights never are 0, so a little of the other colour comes over the edge."""
    lightness = np.full((32, 40), 60, np.uint8)
    lightness[:, 18:] = 180
    hints = no_hints(lightness.shape)
    hints[8:24, 4:14] = (200, 100, 1)
    hints[8:24, 25:35] = (90, 160, 1)
    chroma = spread(lightness, hints)
    for value, color in ((60, (200, 100)), (180, (90, 160))):
        assert np.abs(chroma[lightness == value] - color).max() < 1.5


def test_hints_are_kept_and_nothing_lies_outside_their_range(photographs):
    codes = photographs[5]
    hints = no_hints(codes.shape[:2])
    for row, column in ((4, 4), (20, 9), (15, 28)):
        reveal(hints, codes, row, column, 3)
    known = hints[..., 2] > 0
    chroma = spread(codes[..., 0], hints)
    assert (chroma[known] == hints[known][:, :2]).all()
    colors = hints[known][:, :2].astype(float)
    assert (chroma >= colors.min(axis=0) - 1e-3).all()
    assert (chroma <= colors.max(axis=0) + 1e-3).all()
    assert chroma.dtype == np.float32


def test_every_other_pixel_is_the_mean_of_its_neighbours(photographs):
    codes = photographs[7]
    hints = no_hints(codes.shape[:2])
    for row, column in ((10, 10), (25, 3)):
        reveal(hints, codes, row, column, 2)
    weights = neighbour_weights(codes[..., 0])
    chroma = spread_hints(weights, hints).reshape(-1, 2)
    free = hints[..., 2].ravel() == 0
    np.testing.assert_allclose((weights @ chroma)[free], chroma[free], atol=1e-3)


def test_without_hints_grey_with_one_its_colour_with_all_theirs(photographs):
    codes = photographs[0]
    hints = no_hints(codes.shape[:2])
    assert (spread(codes[..., 0], hints) == NEUTRAL).all()
    hints[3, 7] = (90, 170, 1)
    assert (spread(codes[..., 0], hints) == (90, 170)).all()
    hints[..., :2], hints[..., 2] = codes[..., 1:], 1
    assert (spread(codes[..., 0], hints) == codes[..., 1:]).all()
