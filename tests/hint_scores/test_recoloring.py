import numpy as np
import pytest

from colorizer.core.hints import no_hints
from colorizer.core.lab import NEUTRAL
from colorizer.hint_scores.levin import neighbour_weights, spread_hints
from colorizer.hint_scores.recoloring import recolored_hint, recoloring_scores

IMAGES = np.arange(20)


@pytest.fixture
def halves():
    """Images of 64 px (20, 64, 64, 3), left half a weak red, right half a strong blue, of different lightness."""
    codes = np.empty((20, 64, 64, 3), np.uint8)
    codes[:, :, :32] = (100, NEUTRAL + 6, NEUTRAL)
    codes[:, :, 32:] = (160, NEUTRAL, NEUTRAL - 50)
    return codes


def grey(shape):
    return np.full((*shape, 2), NEUTRAL, np.float32)


def follow(lightness, *, hints):
    """Colour the half in which the hint is, as far as 25 px to its sides; leave the rest grey."""
    chroma = grey(lightness.shape)
    for image, known in enumerate(hints[..., 2] > 0):
        if known.any():
            row, column = np.argwhere(known)[0]
            near = np.abs(np.arange(64) - column) <= 25
            same = (np.arange(64) < 32) == (column < 32)
            chroma[image, :, near & same] = hints[image, row, column, :2]
    return chroma


def ignore(lightness, *, hints):
    return grey(lightness.shape)


def spread(lightness, *, hints):
    return np.stack([spread_hints(neighbour_weights(a), b) for a, b in zip(lightness, hints, strict=True)])


def scores(store, predict):
    done = []
    result = recoloring_scores(store, IMAGES, predict, batch_size=8, on_images=done.append)
    assert done == [8, 8, 4]
    return result


def test_object_and_far_away_are_within_and_outside_of_the_hints_half(halves):
    sides = set()
    for image in IMAGES[:6]:
        hint = recolored_hint(halves[image], int(image))
        known = hint.hints[..., 2] > 0
        halves_of_hint = {column < 32 for column in np.argwhere(known)[:, 1].tolist()}
        if len(halves_of_hint) == 2:
            continue
        [half] = halves_of_hint
        sides.add(half)
        of_half = (np.arange(64) < 32) == half
        assert not hint.object[:, ~of_half].any()
        assert not hint.far[:, of_half].any()  # the same thing, though farther than the radius
        places, inside, far = np.argwhere(known), np.argwhere(hint.object), np.argwhere(hint.far)
        assert distances(inside, places).max() <= 16
        assert known[hint.object].sum() == known.sum()
        assert len(far) == 0 or distances(far, inside).min() > 16
    assert sides == {True, False}


def distances(places, others):
    """From each place to the nearest of the others."""
    return np.hypot(*np.moveaxis(places[:, None] - others, -1, 0)).min(axis=1)


def test_the_hue_is_a_quarter_turn_on_at_the_chroma_of_at_least_20(halves):
    colors = {tuple(recolored_hint(codes, int(image)).color.tolist()) for image, codes in enumerate(halves)}
    assert (NEUTRAL, NEUTRAL + 20) in colors  # red of chroma 6 -> yellow of chroma 20
    assert (NEUTRAL + 50, NEUTRAL) in colors  # blue -> red, of the same chroma
    black = np.zeros((16, 16, 3), np.uint8)
    black[..., 1:] = NEUTRAL
    assert recolored_hint(black, 0).color.tolist() == [NEUTRAL, NEUTRAL + 20]


def test_draws_depend_on_the_image_alone(photographs):
    first, again, other = (recolored_hint(photographs[0], image) for image in (5, 5, 6))
    assert (first.hints == again.hints).all()
    assert (first.hints != other.hints).any()
    assert no_hints((32, 32)).shape == first.hints.shape


def test_one_that_follows(halves):
    assert scores(halves, follow) == {
        "distance": 0,
        "distance_before": pytest.approx(scores(halves, ignore)["distance"]),
        "far_change": 0,
    }


def test_one_that_ignores(halves):
    result = scores(halves, ignore)
    assert result["distance"] == result["distance_before"] > 20
    assert np.isnan(result["far_change"])


def test_the_method_of_levin_fills_the_image(photographs):
    result = scores(photographs, spread)
    assert result["distance"] == 0
    assert result["far_change"] == pytest.approx(1)


def test_a_plain_image_has_nothing_far_away():
    plain = np.full((20, 32, 32, 3), NEUTRAL, np.uint8)
    result = scores(plain, spread)
    assert result["distance"] == 0
    assert np.isnan(result["far_change"])
