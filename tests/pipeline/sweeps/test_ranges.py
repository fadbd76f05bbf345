"""What `sweep --grid` may hold, with and without --search."""

import pytest

from colorizer.core.errors import UserError
from pipeline.sweeps.ranges import Range, read_grid


def test_lists_and_ranges_of_a_search():
    grid = {
        "train.learning_rate": "log(1e-4, 3e-3)",
        "train.epochs": "uniform( 4 ,12)",
        "train.l1_weight": "uniform(0.5, 2)",
        "train.flip": [True, False],
    }
    assert read_grid(grid, [], search=3) == {
        "train.learning_rate": Range(low=1e-4, high=3e-3, log=True),
        "train.epochs": Range(low=4, high=12, log=False),
        "train.l1_weight": Range(low=0.5, high=2, log=False),
        "train.flip": [True, False],
    }


def test_numbers_are_short_and_stay_in_the_range():
    rate = Range(low=1.23456e-4, high=3e-3, log=True)
    assert rate.round(7.123456789e-4) == 7.123e-4
    assert Range(low=1.23444e-4, high=3e-3, log=True).round(1.23445e-4) == 1.23444e-4


RANGE = {"train.learning_rate": "log(1e-4, 3e-3)"}


@pytest.mark.parametrize(
    ("grid", "search", "told"),
    [
        ({"train.learning_rate": "log(3e-3, 1e-4)"}, 3, "the first number has to be smaller than the second"),
        ({"train.learning_rate": "log(1e-3, 1e-3)"}, 3, "the first number has to be smaller than the second"),
        ({"train.learning_rate": "log(0, 1)"}, 3, "log(0, 1) is no range: a logarithm needs numbers above 0"),
        ({"train.learning_rate": "log(1e-4, inf)"}, 3, "'inf' is no number"),
        ({"train.learning_rate": "log(small, 1)"}, 3, "'small' is no number"),
        ({"train.learning_rate": "small"}, 3, "it is 'small'; give a list of values, `train.learning_rate=[1, 2]`"),
        ({"train.learning_rate": "log(1e-4)"}, 3, "with --search a range, `train.learning_rate=log(1e-4, 3e-3)`"),
        ({"train.epochs": 3}, None, "--grid train.epochs: it is 3; give a list of values"),
        (RANGE, None, "--grid train.learning_rate is a range: add --search 30, or give a list of values"),
        ({"train.epochs": [3, 4]}, 3, "--search needs at least one range"),
        ({}, 3, "--search needs at least one range"),
        ({}, None, "nothing to try: give values, `--grid 'train.seed=[0, 1]'` for example, or settings"),
        (RANGE | {"train.epochs": []}, 3, "nothing to try: --grid train.epochs has no value"),
    ],
)
def test_what_is_no_range(grid, search, told):
    with pytest.raises(UserError) as error:
        read_grid(grid, [], search)
    assert told in str(error.value)


def test_a_search_takes_no_listed_settings():
    with pytest.raises(UserError, match="leave out --candidate"):
        read_grid(RANGE, [{"train.epochs": 3}], search=3)
