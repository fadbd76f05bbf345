"""Chroma on the way from the small image to the large one."""

import numpy as np

from colorizer.pixels.upsampling import GuidedUpsampling


def enlarged(lightness, ab, large):
    return GuidedUpsampling.fit(lightness, ab).patch(large, 0, 0, large.shape)


def test_a_constant_stays_constant():
    generator = np.random.default_rng(0)
    lightness, large = generator.uniform(0, 255, (9, 7)), generator.uniform(0, 255, (50, 40)).astype(np.float32)
    ab = np.full((9, 7, 2), (12, -34), np.float32)
    np.testing.assert_allclose(enlarged(lightness, ab, large), np.broadcast_to((12, -34), (50, 40, 2)), atol=1e-3)


def test_patches_are_the_same_as_the_whole():
    generator = np.random.default_rng(0)
    upsampling = GuidedUpsampling.fit(generator.uniform(0, 255, (6, 8)), generator.normal(0, 20, (6, 8, 2)))
    large = generator.uniform(0, 255, (37, 61)).astype(np.float32)
    whole = upsampling.patch(large, 0, 0, (37, 61))
    for top in range(0, 37, 5):
        for left in range(0, 61, 17):
            patch = upsampling.patch(large[top : top + 5, left : left + 17], top, left, (37, 61))
            np.testing.assert_allclose(patch, whole[top : top + 5, left : left + 17], atol=1e-3)


def test_an_edge_of_the_chroma_lies_where_that_of_the_lightness_is():
    """16 px enlarged to 160: bilinear enlarging would be off by up to 18 there."""
    lightness = np.full((16, 16), 50.0, np.float32)
    lightness[:, 8:] = 200
    ab = np.zeros((16, 16, 2), np.float32)
    ab[:, 8:] = (40, 60)
    large = np.repeat(np.repeat(lightness, 10, 0), 10, 1)
    row = enlarged(lightness, ab, large)[80, :, 0]
    assert np.abs(row[:80]).max() < 5
    assert np.abs(row[80:] - 40).max() < 5


def test_without_edges_it_is_smooth():
    ab = np.zeros((8, 8, 2), np.float32)
    ab[:, 4:] = 40
    row = enlarged(np.full((8, 8), 128.0), ab, np.full((80, 80), 128, np.float32))[40, :, 0]
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 2


def test_any_size():
    for small, large in (((1, 1), (1, 1)), ((1, 1), (3, 5)), ((3, 64), (1, 30)), ((2, 2), (2, 2))):
        ab = np.ones((*small, 2), np.float32)
        assert enlarged(np.zeros(small), ab, np.zeros(large, np.float32)).shape == (*large, 2)
