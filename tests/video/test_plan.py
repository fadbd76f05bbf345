"""Segments of films."""

from fractions import Fraction

import pytest

from colorizer.core.errors import UserError
from colorizer.video import plan
from colorizer.video.files import find_frames
from colorizer.video.plan import Plan, Segment, divide, plan_from_text, plan_to_text


def test_segments_begin_to_be_decoded_at_a_key_frame_before_those_that_lead(monkeypatch):
    monkeypatch.setattr(plan, "SEGMENT_FRAMES", 10)
    segments = divide(range(0, 250, 10), keys=[0, 50, 130], memory=4)
    assert segments == [
        Segment(number=1, seek=0, lead=0, start=0, end=100, num_frames=10),
        Segment(number=2, seek=50, lead=60, start=100, end=200, num_frames=10),
        Segment(number=3, seek=130, lead=160, start=200, end=None, num_frames=5),
    ]


def test_a_film_without_key_frames_is_decoded_from_its_start(monkeypatch):
    monkeypatch.setattr(plan, "SEGMENT_FRAMES", 10)
    assert [segment.seek for segment in divide(range(5, 30), keys=[], memory=4)] == [5, 5, 5]
    assert [segment.num_frames for segment in divide(range(24), keys=[], memory=4)] == [10, 14]
    assert [segment.num_frames for segment in divide(range(1), keys=[], memory=4)] == [1]


def test_a_plan_as_text():
    film = Plan(
        size=(480, 854),
        time_base=Fraction(1, 90_000),
        rate=Fraction(30_000, 1001),
        segments=divide(range(500), keys=[0, 250], memory=24),
        fingerprint="ab",
        breaks_off=(8.5, 20.0),
    )
    assert plan_from_text(plan_to_text(film)) == film
    with pytest.raises(UserError, match="--segment 3: the film has the segments 1 to 2"):
        film.segment(3)


def test_frames_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("scene 10.png", "scene 9.png", "Scene 1.PNG", "notes.txt", ".scene 2.png"):
        (tmp_path / name).touch()
    assert [path.name for path in find_frames(tmp_path)] == ["Scene 1.PNG", "scene 9.png", "scene 10.png"]
