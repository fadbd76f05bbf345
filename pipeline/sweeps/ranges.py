"""Ranges that a search chooses settings from: `log(1e-4, 3e-3)`, `uniform(0.5, 2)`, `uniform(4, 12)`."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from colorizer.core.errors import UserError

_FORM = re.compile(r"(log|uniform)\(([^,()]*),([^,()]*)\)")
_DIGITS = 4  # of a number from a range of floats: enough for a setting, and short in names and tables


@dataclass(frozen=True, kw_only=True)
class Range:
    """The numbers from `low` to `high`, both included; whole ones if both are written as such.

    With `log` each power of ten has the same share, else each number.
    """

    low: float
    high: float
    log: bool

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def round(self, value: float) -> float:
        """The number of the range that is written for `value`."""
        return value if self.is_whole else min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)


def read_grid(grid: Mapping[str, object], listed: Sequence[object], search: int | None) -> dict[str, list[Any] | Range]:
    """Read what a grid has for its keys: lists, or texts of ranges.

    `listed` are candidates beside the grid. Raises UserError when something is neither, when there is nothing to try,
    and when ranges and a search of so many trainings do not go together.
    """
    values = {key: _parse(key, given) for key, given in grid.items()}
    ranges = [key for key, given in values.items() if isinstance(given, Range)]
    if search is None and ranges:
        [key, *_] = ranges
        raise UserError(f"--grid {key} is a range: add --search 30, or give a list of values, `{key}=[1, 2]`")
    if search is not None and not ranges:
        raise UserError("--search needs at least one range: `--grid 'train.learning_rate=log(1e-4, 3e-3)'` for example")
    if search is not None and listed:
        raise UserError("--search chooses the settings itself: leave out --candidate")
    if not values and not listed:
        raise UserError(
            "nothing to try: give values, `--grid 'train.seed=[0, 1]'` for example, or settings, `--candidate "
            "'{train.epochs: 3}'`"
        )
    if empty := [key for key, given in values.items() if given == []]:
        raise UserError(f"nothing to try: --grid {empty[0]} has no value")
    return values


def _parse(key: str, values: object) -> list[Any] | Range:
    """Read what a grid has for a key: a list, or the text of a range. Raises UserError when it is neither."""
    if isinstance(values, list):
        return values
    found = _FORM.fullmatch(values.strip()) if isinstance(values, str) else None
    if not found:
        raise UserError(
            f"--grid {key}: it is {values!r}; give a list of values, `{key}=[1, 2]` for example, or with --search a "
            f"range, `{key}=log(1e-4, 3e-3)` or `{key}=uniform(1, 8)`"
        )
    low, high = (_number(key, str(values), text) for text in found.groups()[1:])
    if low >= high:
        raise UserError(f"--grid {key}: {values} is no range: the first number has to be smaller than the second")
    if found[1] == "log" and low <= 0:
        raise UserError(f"--grid {key}: {values} is no range: a logarithm needs numbers above 0")
    return Range(low=low, high=high, log=found[1] == "log")


def _number(key: str, values: str, text: str) -> float:
    try:
        number = int(text) if re.fullmatch(r"\s*[-+]?\d+\s*", text) else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"--grid {key}: {values} is no range: {text.strip()!r} is no number")
    return number
