"""What smoothing promises, on small films of known motion whose chroma flickers as a network's does."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from benchmarks.known_motion import EDGE, Film, Layer, blob, camera, joined, make_film
from colorizer.data.sample import built_in_photographs
from colorizer.film.consistency import warping_error
from colorizer.film.smoothing import ChromaSmoother
from colorizer.pixels.upsampling import GuidedUpsampling

SIZE = (120, 160)
SMALL = (48, 64)  # the network's
PHOTOGRAPHS = dict(built_in_photographs())
COFFEE, FLOWER, CHINA = (PHOTOGRAPHS[name] for name in ("coffee.png", "flower.jpg", "china.jpg"))


def pan() -> Film:
    place = camera((200, 200), (2.3, 0.4), zoom=1.005, shake=0.5, size=SIZE)
    return make_film("pan", [Layer(photograph=COFFEE, place=place)], 16, size=SIZE)


def passing() -> Film:
    """A flower that passes over a background of other colours."""
    behind = Layer(photograph=CHINA, place=camera((260, 230), (0.7, 0.2), size=SIZE))
    mask = blob((290, 190), 30, FLOWER.shape)
    flower = Layer(photograph=FLOWER, place=camera((310, 190), (-2.5, 0.2), size=SIZE), mask=mask)
    return make_film("passing", [behind, flower], 16, size=SIZE)


def chroma(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 1:].copy()


def predicted(film: Film, flicker: float) -> list[np.ndarray]:
    """True chroma at the network's size, with errors that are new in each frame: of areas, and of the whole frame."""
    generator = np.random.default_rng(0)
    areas = [generator.normal(0, flicker, (5, 6, 2)) + generator.normal(0, flicker / 3, 2) for _ in film.frames]
    return [
        cv2.resize(chroma(frame), SMALL[::-1], interpolation=cv2.INTER_AREA)
        + cv2.resize(area, SMALL[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)
        for frame, area in zip(film.frames, areas, strict=True)
    ]


def smoothed(film: Film, ab: Sequence[np.ndarray]) -> list[np.ndarray]:
    smoother = ChromaSmoother()
    return [smoother(grey, own) for grey, own in zip(film.grey, ab, strict=True)]


def scores(film: Film, ab: Sequence[np.ndarray]) -> dict[str, float]:
    """Warping error, AB error, and AB error along moving edges, at the film's size."""
    full = []
    for grey, own in zip(film.grey, ab, strict=True):
        guide = cv2.resize(grey, SMALL[::-1], interpolation=cv2.INTER_AREA)
        full.append(GuidedUpsampling.fit(guide, own).patch(grey.astype(np.float32), 0, 0, SIZE).copy())
    pairs = zip(full[1:], full, film.before[1:], film.seen[1:], strict=False)
    error = np.abs(np.stack(full) - np.stack([chroma(frame) for frame in film.frames])).mean(axis=-1)
    edges = film.edges if film.edges.any() else slice(None)
    warping = np.nanmean([warping_error(*pair) for pair in pairs if pair[3].any()])
    return {"warping error": warping, "AB error": error.mean(), "edges": error[edges].mean()}


@pytest.mark.parametrize("make", [pan, passing])
def test_flicker_is_gone_and_colors_are_no_worse(make):
    film = make()
    alone = predicted(film, flicker=6)
    before, after = scores(film, alone), scores(film, smoothed(film, alone))
    assert after["warping error"] < 0.3 * before["warping error"]
    assert after["AB error"] < 0.9 * before["AB error"]
    assert after["edges"] < before["edges"]


def test_what_does_not_flicker_is_neither_blurred_nor_trailed():
    film = passing()
    steady = predicted(film, flicker=0)
    before, after = scores(film, steady), scores(film, smoothed(film, steady))
    assert after["AB error"] < 1.02 * before["AB error"]
    assert after["edges"] < 1.03 * before["edges"]


def test_what_comes_into_sight_keeps_its_own_colors():
    """What moves is red, all behind it green: nothing red may stay where it was."""
    film = passing()
    red = [np.stack([100 * share - 50, 0 * share], axis=-1).astype(np.float32) for share in _moving(film)]
    changed = np.abs(np.stack(smoothed(film, red)) - np.stack(red))[..., 0]
    assert (changed > 25).mean() < 0.01


def _moving(film: Film) -> list[np.ndarray]:
    """The share of what moves over the background in each pixel of the network's size."""
    kernel, shares = np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8), []
    for edges in film.edges:
        contours, _ = cv2.findContours(edges.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        within = cv2.drawContours(edges.astype(np.uint8), contours, -1, 1, cv2.FILLED)
        shares.append(cv2.resize(cv2.erode(within, kernel) * 1.0, SMALL[::-1], interpolation=cv2.INTER_AREA))
    return shares


def test_it_begins_anew_at_a_cut_and_nowhere_else():
    shots = [
        make_film("shot", [Layer(photograph=photograph, place=camera((220, 200), (1, 0), size=SIZE))], 4, size=SIZE)
        for photograph in (COFFEE, CHINA, FLOWER)
    ]
    film = joined("cuts", shots)
    alone = predicted(film, flicker=6)
    own = [
        number
        for number, (ab, result) in enumerate(zip(alone, smoothed(film, alone), strict=True))
        if np.array_equal(ab, result)
    ]
    assert own == [0, 4, 8]


def test_colors_do_not_outlast_a_black_frame():
    black = np.zeros(SIZE, np.uint8)
    coffee, china = (cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), SIZE[::-1]) for rgb in (COFFEE, CHINA))
    red, green = np.full((*SMALL, 2), 40, np.float32), np.full((*SMALL, 2), -40, np.float32)
    smoother = ChromaSmoother()
    for _ in range(8):
        smoother(coffee, red)
    smoother(black, green)
    smoother(black, green)
    assert smoother(china, green) == pytest.approx(green, abs=1)


def test_frames_before_its_memory_do_not_matter():
    still = np.ascontiguousarray(cv2.cvtColor(COFFEE, cv2.COLOR_RGB2GRAY)[: SIZE[0], : SIZE[1]])
    long, short = ChromaSmoother(), ChromaSmoother()
    generator = np.random.default_rng(0)
    for _ in range(20):
        long(still, np.full((*SMALL, 2), 30, np.float32))
    for _ in range(ChromaSmoother.MEMORY + 1):
        ab = generator.normal(0, 5, (*SMALL, 2)).astype(np.float32)
        ends = long(still, ab), short(still, ab)
    assert np.abs(ends[0] - ends[1]).max() < 0.2


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_the_result(threads):
    film, expected = pan(), smoothed(pan(), predicted(pan(), flicker=6))
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        assert np.array_equal(smoothed(film, predicted(film, flicker=6)), expected)
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 3000), (2000, 20), (720, 576)])
def test_any_size_will_do(size):
    smoother = ChromaSmoother()
    ab = np.full((*SMALL, 2), 10, np.float32)
    for number in range(3):
        lightness = np.random.default_rng(number).integers(0, 256, size, dtype=np.uint8)
        assert smoother(lightness, ab) == pytest.approx(ab, abs=1e-4)


def test_frames_of_another_size_begin_anew():
    smoother = ChromaSmoother()
    smoother(np.zeros((60, 80), np.uint8), np.zeros((*SMALL, 2), np.float32))
    ab = np.ones((32, 40, 2), np.float32)
    assert np.array_equal(smoother(np.zeros((50, 62), np.uint8), ab), ab)
