"""True colours that a generator sees in training."""

from dataclasses import replace

import numpy as np
import pytest

from colorizer.core.hints import HintSampling, no_hints, reveal

SAMPLING = HintSampling(none=0.25, mean_points=8, largest_side=9)


def test_a_square_shows_its_mean_colour(photographs):
    codes = photographs[0]
    hints = no_hints(codes.shape[:2])
    reveal(hints, codes, 10, 20, 3)
    assert hints[..., 2].sum() == 9
    assert hints[9:12, 19:22, 2].all()
    assert not hints[hints[..., 2] == 0].any()
    expected = codes[9:12, 19:22, 1:].mean(axis=(0, 1))
    assert np.abs(hints[9:12, 19:22, :2] - expected).max() <= 0.5


@pytest.mark.parametrize(("row", "column", "pixels"), [(0, 0, 3 * 3), (31, 31, 3 * 3), (0, 16, 3 * 5)])
def test_a_square_at_an_edge_is_cut_off(photographs, row, column, pixels):
    hints = no_hints((32, 32))
    reveal(hints, photographs[0], row, column, 5)
    assert hints[..., 2].sum() == pixels


def test_as_many_images_show_as_many_colours_as_wanted(photographs):
    random = np.random.default_rng(0)
    drawn = np.stack([SAMPLING.draw(photographs[0], random) for _ in range(2000)])
    known = drawn[..., 2].mean(axis=(1, 2))
    assert np.mean(known == 0) == pytest.approx(0.25, abs=0.03)
    points = replace(SAMPLING, none=0, largest_side=1)
    some = np.array([points.draw(photographs[0], random)[..., 2].sum() for _ in range(2000)])
    assert some.min() == 1
    assert some.mean() == pytest.approx(8, rel=0.1)  # some fall on each other


def test_hints_gather_in_the_middle_and_are_true(photographs):
    sampling = HintSampling(none=0, mean_points=4, largest_side=1)
    random = np.random.default_rng(0)
    drawn = np.stack([sampling.draw(photographs[3], random) for _ in range(500)])
    middle, all_of_it = drawn[:, 8:24, 8:24, 2].sum(), drawn[..., 2].sum()
    assert 0.4 < middle / all_of_it < 0.6  # 0.68 x 0.68 = 0.47 within a deviation of both sides, a quarter of the area
    for hints in drawn:
        known = hints[..., 2] == 1
        assert (hints[known][:, :2] == photographs[3][known][:, 1:]).all()
