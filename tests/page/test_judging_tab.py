"""What the page's tab for judging answers, without a browser; with one: tests/page/test_server.py."""

import random
from dataclasses import replace

import pytest

from colorizer.page.blind_test import BlindTest
from colorizer.page.votes import read_votes
from tests.page.test_blind_test import BLUE, RED, TWELVE, is_red


@pytest.fixture(scope="module")
def tab():
    """Gradio, which it imports, takes two seconds: in this process alone."""
    from colorizer.page import judging_tab

    return judging_tab


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr("colorizer.page.blind_test._DOUBLE_CLICK", 0)
    monkeypatch.setattr("colorizer.page.judging_tab.VOTES", tmp_path / "votes.csv")
    return tmp_path / "votes.csv"


def test_after_an_unexpected_error_the_next_click_shows_the_next_round(tab, table):
    errors = iter([None, MemoryError(), None])

    def paint(photograph):
        if error := next(errors):
            raise error
        return RED.paint(photograph)

    test = BlindTest(replace(RED, paint=paint), BLUE, TWELVE[:3], table, random.Random(0))
    first = test.next_round()
    with pytest.raises(MemoryError):
        tab.vote(test, first.number, "left")
    number, *_, counted = tab.vote(test, first.number, "left")  # on the page that still shows the first
    assert (number, counted) == (2, "Photograph 2; 1 vote so far")
    assert len(read_votes(table)) == 1
    assert tab.vote(test, first.number, "left")[-1] == counted
    number, *_, counted = tab.vote(test, number, "left")
    assert (number, counted) == (0, "All photographs were shown; 2 votes")
    assert tab.vote(test, number, "left")[-1] == counted


def test_a_table_that_cannot_be_read_is_told_in_one_line(tab, table):
    test = BlindTest(RED, BLUE, TWELVE, table, random.Random(0))
    table.mkdir()
    with pytest.raises(tab.gr.Error, match=r"^'.+votes.csv cannot be read: is a directory'$") as raised:
        tab.reveal(test)
    assert not raised.value.print_exception


def test_the_result_says_which_votes_it_counts(tab, table):
    for count in (9, 1):
        test = BlindTest(RED, BLUE, TWELVE, table, random.Random(0))
        for _ in range(count):
            shown = test.next_round()
            test.vote(shown.number, "left" if is_red(shown.left) else "right")
    lines = tab.reveal(test)[0].splitlines()
    assert lines[1] == "All votes on these two so far: More votes go to red/1 than chance explains."
    assert [line.split(" | ")[:2] for line in lines[-2:]] == [["| this test", "1"], ["| all tests of these two", "10"]]
