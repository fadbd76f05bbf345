"""Blind tests of contenders that paint a whole photograph in one colour: a picture tells whose it is."""

import random
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from colorizer.core.errors import UserError
from colorizer.core.lab import codes_to_rgb
from colorizer.page.blind_test import ORIGINAL, BlindTest, Contender, held_out_photographs
from colorizer.page.votes import Tally, read_votes, tally
from colorizer.photographs.photographs import Photograph


def photograph_of(pixels) -> Photograph:
    return Photograph(pixels=pixels)


def painter(identity: str, color: tuple[int, int, int]) -> Contender:
    return Contender(
        identity=identity,
        name=identity,
        paint=lambda photograph: photograph.with_pixels(np.full((*photograph.size, 3), color, np.uint8)),
    )


RED, BLUE = painter("red/1", (200, 0, 0)), painter("blue/1", (0, 0, 200))
COLOURED = photograph_of(np.full((4, 8, 3), (90, 160, 40), np.uint8))
TWELVE = [(f"image {number}", lambda: COLOURED) for number in range(12)]


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr("colorizer.page.blind_test._DOUBLE_CLICK", 0)
    return tmp_path / "votes.csv"


def is_red(picture) -> bool:
    return (picture == (200, 0, 0)).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_votes_go_to_the_contender_whose_picture_was_chosen(table, seed):
    test = BlindTest(RED, BLUE, TWELVE, table, random.Random(seed))
    sides = []
    while shown := test.next_round():
        assert shown.number == len(test.votes) + 1
        assert is_red(shown.left) != is_red(shown.right)
        sides.append("left" if is_red(shown.left) else "right")
        assert test.vote(shown.number, sides[-1] if shown.number <= 9 else "neither")
    assert set(sides) == {"left", "right"}
    assert tally(test.votes, "red/1", "blue/1") == Tally(first=9, second=0, neither=3)
    assert [vote.left for vote in test.votes] == [{"left": "red/1", "right": "blue/1"}[side] for side in sides]
    images = [vote.image for vote in test.votes]
    assert sorted(images) == sorted(name for name, _ in TWELVE)
    assert images != [name for name, _ in TWELVE]
    assert read_votes(table) == test.votes


def test_a_vote_counts_once_and_for_the_round_that_was_shown(table):
    test = BlindTest(RED, BLUE, TWELVE, table, random.Random(0))
    assert not test.vote(0, "left")  # nothing was shown
    first = test.next_round()
    assert test.vote(first.number, "left")
    assert not test.vote(first.number, "left")
    second = test.next_round()
    assert not test.vote(first.number, "right")  # its page still showed the first
    assert test.shown is second
    assert test.vote(second.number, "right")
    assert len(read_votes(table)) == 2


def test_a_double_click_is_one_vote(table, monkeypatch):
    test = BlindTest(RED, BLUE, TWELVE, table, random.Random(0))
    assert test.vote(test.next_round().number, "left")
    second = test.next_round()
    monkeypatch.setattr("colorizer.page.blind_test._DOUBLE_CLICK", 60)
    assert not test.vote(second.number, "left")
    monkeypatch.setattr("colorizer.page.blind_test._DOUBLE_CLICK", 0)
    assert test.vote(second.number, "left")  # the round was still open
    assert len(test.votes) == 2


def test_two_pages_at_once_are_two_tests(table):
    tests = [BlindTest(RED, BLUE, TWELVE, table, random.Random(seed)) for seed in (0, 1)]
    shown = [test.next_round() for test in tests]
    for test, page in zip(tests, shown, strict=True):
        assert test.vote(page.number, "left" if is_red(page.left) else "right")
    assert [len(test.votes) for test in tests] == [1, 1]
    assert tally(read_votes(table), "red/1", "blue/1").first == 2


def test_a_vote_that_cannot_be_kept_can_be_given_again(table):
    test = BlindTest(RED, BLUE, TWELVE, table, random.Random(0))
    shown = test.next_round()
    table.mkdir()
    with pytest.raises(UserError, match=r"votes.csv cannot be written to: is a directory"):
        test.vote(shown.number, "left")
    assert test.votes == []
    table.rmdir()
    assert test.vote(shown.number, "left")


def test_the_original_colours_are_a_contender_where_there_are_some(table):
    grey = photograph_of(np.full((4, 8), 90, np.uint8))
    photographs = [("grey.jpg", lambda: grey), ("red.jpg", lambda: COLOURED)]
    test = BlindTest(RED, ORIGINAL, photographs, table, random.Random(0))
    shown, told = [], []
    for _ in photographs:
        try:
            shown.append(test.next_round())
        except UserError as error:
            told.append(str(error))
    assert told == ["grey.jpg has no colours of its own"]
    [only] = shown
    assert only.number == 1
    assert test.next_round() is None
    assert sorted(picture[0, 0].tolist() for picture in (only.left, only.right)) == [[90, 160, 40], [200, 0, 0]]


def test_pictures_have_a_size_at_which_they_can_be_judged(table):
    photographs = [("", lambda: COLOURED), ("", lambda: photograph_of(np.full((1500, 2048, 3), 90, np.uint8)))]
    test = BlindTest(RED, BLUE, photographs, table, random.Random(0))
    sizes = {}
    for _ in photographs:
        shown = test.next_round()
        assert shown.grey.shape == shown.left.shape == shown.right.shape
        assert np.ptp(shown.grey.astype(int), axis=-1).max() <= 1
        sizes[shown.grey.shape] = True
    assert set(sizes) == {(192, 384, 3), (750, 1024, 3)}


def test_a_contender_is_not_judged_against_itself(table):
    with pytest.raises(UserError, match="red/1 and again are the same: choose two that differ"):
        BlindTest(RED, replace(RED, name="again"), TWELVE, table, random.Random(0))


def test_test_images_are_those_of_the_split(tmp_path, photographs):
    (tmp_path / "split").mkdir()
    assert held_out_photographs(tmp_path) == []
    np.save(tmp_path / "lab.npy", photographs)
    pd.DataFrame({"image": [3, 50]}).to_csv(tmp_path / "split" / "test.csv", index=False)
    found = dict(held_out_photographs(tmp_path))
    assert list(found) == ["test image 3", "test image 50"]
    assert (found["test image 50"]().pixels == codes_to_rgb(photographs[50])).all()
    pd.DataFrame({"image": [64]}).to_csv(tmp_path / "split" / "test.csv", index=False)  # of larger data
    assert held_out_photographs(tmp_path) == []
