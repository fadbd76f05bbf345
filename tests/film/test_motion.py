import numpy as np
import pytest

from benchmarks.known_motion import Film, Layer, blob, camera, make_film
from colorizer.data.sample import built_in_photographs
from colorizer.film.motion import MotionEstimator, sampled

PHOTOGRAPHS = dict(built_in_photographs())


@pytest.fixture(scope="module")
def passing() -> Film:
    """Something that passes over a background that moves the other way."""
    flower = PHOTOGRAPHS["flower.jpg"]
    behind = Layer(photograph=PHOTOGRAPHS["coffee.png"], place=camera((300, 200), (2, 0.5)))
    before = Layer(photograph=flower, place=camera((290, 190), (-5, 0)), mask=blob((290, 190), 60, flower.shape))
    return make_film("passing", [behind, before], 3)


def test_motion_is_found_to_a_fraction_of_a_pixel(passing):
    motion = MotionEstimator()(passing.grey[2], passing.grey[1])
    distance = np.linalg.norm(motion.before - passing.before[2], axis=-1)
    assert np.median(distance) < 0.4
    assert np.quantile(distance[motion.trust > 0.5], 0.95) < 1.6


def test_what_comes_into_sight_is_not_trusted(passing):
    trust = MotionEstimator()(passing.grey[2], passing.grey[1]).trust
    assert trust[passing.seen[2]].mean() > 0.6
    assert trust[~passing.seen[2]].mean() < 0.35


def test_the_light_may_change(passing):
    brighter = np.minimum(passing.grey[2].astype(int) + 20, 255).astype(np.uint8)
    trust = MotionEstimator()(brighter, passing.grey[1]).trust
    assert trust[passing.seen[2]].mean() > 0.5


def test_samples_lie_between_pixels():
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    positions = np.array([[[0.5, 0], [1, 1.5], [9, 0]]], np.float32)
    assert sampled(image, positions).tolist() == [[0.5, 7, 3]]
    assert sampled(image, positions, outside=-5).tolist() == [[0.5, 7, -5]]
    assert sampled(image, positions, cubic=True)[0, 1] == pytest.approx(7, abs=0.5)
