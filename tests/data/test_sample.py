import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorizer.core.errors import UserError
from colorizer.core.lab import NEUTRAL
from colorizer.data.sample import GAP, SCALES, crop_positions, make_sample


@given(height=st.integers(200, 600), width=st.integers(200, 600))
def test_no_training_crop_touches_a_test_crop(height, width):
    train, test = crop_positions(height, width)
    tested = np.zeros((height, width), bool)
    for crop in test:
        tested[
            max(0, crop.top - GAP) : crop.top + crop.side + GAP, max(0, crop.left - GAP) : crop.left + crop.side + GAP
        ] = True
    for crop in train:
        assert not tested[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side].any()


def test_draws_evenly_and_repeatably():
    codes, origins = make_sample(size=32, train=16, test=8, min_chroma=6.0, seed=3)
    again, _ = make_sample(size=32, train=16, test=8, min_chroma=6.0, seed=3)
    assert codes.shape == (24, 32, 32, 3)
    assert (codes == again).all()
    assert [part for part, _, _ in origins] == ["train"] * 16 + ["test"] * 8
    names = [name for _, name, _ in origins]
    assert {names[:16].count(name) for name in names} == {2}
    assert {names[16:].count(name) for name in names} == {1}
    assert {crop.side for _, _, crop in origins} <= set(SCALES)
    chroma = np.hypot(*np.moveaxis(codes[..., 1:].astype(float) - NEUTRAL, -1, 0)).mean(axis=(1, 2))
    assert chroma.min() >= 6.0


def test_too_many_crops_are_refused():
    with pytest.raises(UserError, match=r"sample.test: [a-z]+.png gives \d+ crops but 1250 are asked"):
        make_sample(size=8, train=8, test=10_000, min_chroma=6.0, seed=0)
