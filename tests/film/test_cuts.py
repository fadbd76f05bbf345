"""Cuts are found where films are joined, and nowhere else."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.known_motion import Film, Layer, blob, camera, make_film
from colorizer.data.sample import built_in_photographs
from colorizer.film.cuts import is_cut
from colorizer.film.motion import MotionEstimator

PHOTOGRAPHS = dict(built_in_photographs())


def film(photograph: str, speed: tuple[float, float] = (1, 0.5), num_frames: int = 3, **options) -> Film:
    pixels = PHOTOGRAPHS[photograph]
    moves = {name: options.pop(name) for name in ("zoom", "turn") if name in options}
    start = (pixels.shape[1] / 2 - speed[0], pixels.shape[0] / 2)
    layers = [Layer(photograph=pixels, place=camera(start, speed, **moves)), *options.pop("over", [])]
    return make_film(photograph, layers, num_frames, **options)


def cuts(frames: np.ndarray) -> list[int]:
    estimate, found = MotionEstimator(), []
    for number, (before, frame) in enumerate(pairwise(frames), start=1):
        motion = estimate(frame, before)
        if is_cut(frame, motion.carried, motion.consistent):
            found.append(number)
    return found


def test_every_joint_of_a_film_is_found():
    joined = np.concatenate([film(photograph, num_frames=2).grey for photograph in PHOTOGRAPHS])
    assert cuts(joined) == list(range(2, len(joined), 2))


@pytest.mark.parametrize(
    "options",
    [
        {"speed": (30, 0)},
        {"zoom": 1.08},
        {"turn": 4},
        {"light": lambda number: 3 if number == 1 else 1},
        {"light": lambda number: 0.4**number},
        {"grain": 12},
    ],
    ids=["fast pan", "zoom", "turn", "flash", "fade", "grain"],
)
@pytest.mark.parametrize("photograph", ["coffee.png", "astronaut.png"])
def test_neither_motion_nor_light_nor_grain_is_a_cut(photograph, options):
    assert cuts(film(photograph, **options).grey) == []


def test_something_large_that_passes_is_no_cut():
    cat = PHOTOGRAPHS["chelsea.png"]
    passing = Layer(photograph=cat, place=camera((330, 150), (-40, 0)), mask=blob((220, 130), 90, cat.shape))
    assert cuts(film("coffee.png", num_frames=6, over=[passing]).grey) == []


def test_black_between_two_shots_is_a_shot():
    one, other = film("coffee.png").grey, film("china.jpg").grey
    black = np.zeros_like(one)
    assert cuts(np.concatenate([one, black, other])) == [3, 6]
    assert cuts(np.concatenate([one, black + 255, one])) == [3, 6]
