import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from colorizer.film.consistency import color_histograms, distribution_consistency, jensen_shannon, warping_error


def positions(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], axis=-1)


def test_colors_that_move_with_their_points_have_no_warping_error():
    frame_before = np.random.default_rng(0).normal(size=(6, 9, 2)).astype(np.float32)
    frame = np.roll(frame_before, 2, axis=1)
    seen = np.ones((6, 9), bool)
    seen[:, :2] = False
    assert warping_error(frame, frame_before, positions(6, 9) - np.float32([2, 0]), seen) == 0
    assert warping_error(frame, frame_before, positions(6, 9), seen) > 0.5


def test_the_warping_error_is_the_mean_squared_distance_where_points_were_seen():
    frame, seen = np.zeros((2, 2, 2), np.float32), np.array([[True, True], [True, False]])
    frame[0, 0], frame[1, 1] = (3, 4), (100, 100)
    assert warping_error(frame, np.zeros_like(frame), positions(2, 2), seen) == pytest.approx(25 / 3)
    assert np.isnan(warping_error(frame, frame, positions(2, 2), np.zeros((2, 2), bool)))


def test_the_divergence_is_the_one_of_scipy():
    p, q = np.random.default_rng(0).dirichlet(np.full(256, 0.1), size=(2, 3))
    p[:, :9] = 0
    p /= p.sum(axis=1, keepdims=True)
    assert jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, axis=1) ** 2)


def test_distributions_are_compared_at_a_distance():
    red, blue = (np.full((4, 5, 3), color, np.uint8) for color in ((200, 0, 0), (0, 0, 200)))
    histograms = [color_histograms(frame) for frame in (red, blue, red, blue)]
    assert distribution_consistency(histograms, 1) == pytest.approx(2 / 3 * np.log(2))  # green is the same
    assert distribution_consistency(histograms, 2) == 0
    assert np.isnan(distribution_consistency(histograms, 4))
