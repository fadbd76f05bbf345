import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorizer.epochs.retention import chosen_epoch, epochs_to_keep, kept_epochs, needed_epochs


@pytest.mark.parametrize(
    ("keep", "epochs", "expected"),
    [
        ("all", 4, [1, 2, 3, 4]),
        ("last 2", 4, [3, 4]),
        ("last 9", 4, [1, 2, 3, 4]),
        ("every 2", 5, [2, 4]),
        ("every 9", 5, []),
    ],
)
def test_retention(keep, epochs, expected):
    assert kept_epochs(epochs, keep) == expected


def test_declined_epochs_are_not_kept():
    assert kept_epochs(4, "all", {2}) == [1, 3, 4]
    assert kept_epochs(4, "last 2", {4}) == [2, 3]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=2, max_size=12),
    st.sampled_from(["all", "last 1", "last 2", "last 4", "every 2", "every 5"]),
)
def test_what_may_be_needed_at_the_end_is_never_dropped_on_the_way(epochs, keep):
    """After each epoch, before it is known whether that one is declined, some checkpoints are let go."""
    held: set[int] = set()
    declined: set[int] = set()
    history: list[dict] = []
    for epoch, (is_saved, score) in enumerate(epochs, start=1):
        history.append({"epoch": epoch, "validation_combined_score": score})
        held = (held | {epoch}) & epochs_to_keep(history, keep, "combined_score", declined)
        declined |= set() if is_saved else {epoch}
    assert needed_epochs(history, keep, "combined_score", declined) <= held


HISTORY = [{"epoch": n, "validation_combined_score": score} for n, score in enumerate((1.0, 0.8, 0.9, 0.8), start=1)]


def test_the_best_epoch_is_chosen_and_of_equals_the_earlier():
    assert chosen_epoch(HISTORY, "combined_score") == 2
    assert chosen_epoch(HISTORY, "combined_score", {2}) == 4
    assert chosen_epoch(HISTORY, "combined_score", {1, 2, 3, 4}) == 4


def test_without_validation_it_is_the_last():
    history = [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]
    assert chosen_epoch(history, "combined_score") == 3
    assert chosen_epoch(history, "combined_score", {3}) == 2


def test_a_score_that_is_no_number_is_not_chosen():
    assert chosen_epoch([{"epoch": 1, "validation_combined_score": float("nan")}, *HISTORY[1:]], "combined_score") == 2
