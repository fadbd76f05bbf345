import subprocess
import sys

import pytest

from colorizer.core.errors import UserError
from colorizer.page.votes import VOTES, Tally, Vote, append_vote, read_votes, tally, verdict, wilson_interval
from tests.support.imports import ROOT


def vote_of(left: str, right: str, chosen="left", image="test image 7") -> Vote:
    return Vote(image=image, left=left, right=right, chosen=chosen)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718), (0, 0, 0, 1)],
)
def test_wilson_interval_of_published_shares(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_votes_count_for_a_contender_on_whatever_side_it_was():
    votes = [
        vote_of("a/1", "b/2"),
        vote_of("b/2", "a/1", "right"),
        vote_of("b/2", "a/1"),
        vote_of("a/1", "b/2", "neither"),
        vote_of("a/1", "c/3"),  # of another pair
    ]
    assert tally(votes, "a/1", "b/2") == Tally(first=2, second=1, neither=1)
    assert tally(votes, "b/2", "a/1") == Tally(first=1, second=2, neither=1)
    assert tally(votes, "b/2", "c/3") == Tally(first=0, second=0, neither=0)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (0, 0, "No difference can be told from 0 votes yet."),
        (1, 0, "No difference can be told from 1 vote yet."),
        (8, 4, "No difference can be told from 12 votes yet."),
        (10, 2, "More votes go to ours than chance explains."),
        (2, 10, "More votes go to theirs than chance explains."),
    ],
)
def test_a_difference_is_told_when_the_interval_leaves_a_half_out(first, second, sentence):
    assert verdict(Tally(first=first, second=second, neither=5), "ours", "theirs") == sentence


def test_votes_are_read_as_they_were_appended(tmp_path):
    path = tmp_path / "votes" / "votes.csv"
    assert read_votes(path) == []
    append_vote(path, vote_of("a/1", "original"))
    append_vote(path, vote_of("original", "a/1", "neither", image='Nürnberg,\n"old".jpg'))
    assert read_votes(path) == [
        vote_of("a/1", "original"),
        vote_of("original", "a/1", "neither", image='Nürnberg, "old".jpg'),
    ]
    assert path.read_text(encoding="utf-8").splitlines()[0] == "voted_at,image,left,right,chosen"


def test_a_table_that_cannot_be_read_is_a_mistake_of_whoever_put_it_there(tmp_path):
    with pytest.raises(UserError, match="cannot be read: is a directory"):
        read_votes(tmp_path)
    (tmp_path / "votes").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(UserError, match=r"votes.csv cannot be read: not a directory"):
        read_votes(tmp_path / "votes" / "votes.csv")


@pytest.mark.parametrize(
    "torn", ['2026-01-01T00:00:00+00:00,"old, ph', "2026-01-01T00:00:00+00:00,x,a/1,b/2,neith", "2"]
)
def test_a_torn_line_costs_that_line_alone(tmp_path, torn):
    path = tmp_path / "votes.csv"
    votes = [vote_of("a/1", "b/2"), vote_of("b/2", "a/1", image='"quoted"')]
    append_vote(path, votes[0])
    with path.open("a", encoding="utf-8") as file:
        file.write(torn)
    assert read_votes(path) == votes[:1]
    append_vote(path, votes[1])
    assert read_votes(path) == votes


def test_processes_append_at_once(tmp_path):
    script = """
import sys
from pathlib import Path
from colorizer.page.votes import Vote, append_vote
for number in range(40):
    append_vote(Path(sys.argv[1]), Vote(image=str(number), left=sys.argv[2], right="b/2", chosen="left"))
"""
    path = tmp_path / "votes.csv"
    processes = [subprocess.Popen([sys.executable, "-c", script, path, name], cwd=ROOT) for name in ("a/1", "a/2")]
    assert [process.wait() for process in processes] == [0, 0]
    votes = read_votes(path)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 81
    for name in ("a/1", "a/2"):
        assert [vote.image for vote in votes if vote.left == name] == [str(number) for number in range(40)]


def test_git_leaves_votes_alone():
    subprocess.run(["git", "check-ignore", "--quiet", VOTES], cwd=ROOT, check=True)
