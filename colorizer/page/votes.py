"""The table of votes of blind tests, and their statistics.

Beside two models a contender can be the original colours; then it is the test of Zhang et al., "Colorful Image
Colorization" (2016): how often is the model's picture taken for the real one?
"""

import csv
import math
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import filelock

from colorizer.core.errors import UserError

Choice = Literal["left", "right", "neither"]

VOTES = Path("votes/votes.csv")
_COLUMNS = ("voted_at", "image", "left", "right", "chosen")
_Z = 1.959964  # of the normal distribution: 95% lie within so many standard deviations


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One vote: the image, the identities of the contenders at the left and the right, and the choice."""

    image: str
    left: str
    right: str
    chosen: Choice

    @property
    def winner(self) -> str | None:
        """The identity that was voted for, if any."""
        return {"left": self.left, "right": self.right, "neither": None}[self.chosen]


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Votes for the first and for the second of two contenders, and for neither."""

    first: int
    second: int
    neither: int

    @property
    def decided(self) -> int:
        """Votes for one of the two."""
        return self.first + self.second

    def interval(self) -> tuple[float, float]:
        """Compute the 95% interval of the first contender's share of the decided votes."""
        return wilson_interval(self.first, self.decided)


def append_vote(path: Path, vote: Vote) -> None:
    """Append a vote, with the time in UTC, to the CSV table at `path`, and flush it to the disk.

    Other processes may do the same meanwhile. A line that was torn by a crash stays as it is, on its own. Raises
    UserError when the file cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")), path.open("a+", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if not file.tell():
                writer.writerow(_COLUMNS)
            elif not path.read_bytes().endswith(b"\n"):
                file.write("\n")
            values = (" ".join(value.split()) for value in asdict(vote).values())  # a vote is one line
            writer.writerow([datetime.now(UTC).isoformat(timespec="seconds"), *values])
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(f"{path} cannot be written to: {(error.strerror or '').lower()}") from error


def read_votes(path: Path) -> list[Vote]:
    """Read the votes of a table, oldest first; other lines, as the heading or a torn one, are left out.

    Raises UserError when there is a table that cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or '').lower()}") from error
    rows = (next(csv.reader([line]), []) for line in lines)  # each on its own: a torn one may end inside quotes
    return [
        Vote(image=row[1], left=row[2], right=row[3], chosen=row[4])  # type: ignore[arg-type]
        for row in rows
        if len(row) == len(_COLUMNS) and row[4] in get_args(Choice)
    ]


def tally(votes: list[Vote], first: str, second: str) -> Tally:
    """Count the votes between two contenders, given by their identities, on whatever side they were."""
    winners = [vote.winner for vote in votes if {vote.left, vote.right} == {first, second}]
    return Tally(first=winners.count(first), second=winners.count(second), neither=winners.count(None))


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Compute the 95% interval of a share, in [0, 1]; without trials it is (0, 1).

    Source: Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    if not trials:
        return 0.0, 1.0
    center = (successes + _Z**2 / 2) / (trials + _Z**2)
    half_width = _Z * math.sqrt(successes * (trials - successes) / trials + _Z**2 / 4) / (trials + _Z**2)
    return max(0.0, center - half_width), min(1.0, center + half_width)


def verdict(counted: Tally, first: str, second: str) -> str:
    """Say in a sentence which contender, if any, has more votes than chance explains; takes their names."""
    low, high = counted.interval()
    if low > 0.5 or high < 0.5:
        return f"More votes go to {first if low > 0.5 else second} than chance explains."
    return f"No difference can be told from {counted.decided} vote{'s' * (counted.decided != 1)} yet."
