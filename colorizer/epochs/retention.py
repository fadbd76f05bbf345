"""Which epochs' checkpoints are kept, and which epoch becomes the model."""

import math
from collections.abc import Collection, Sequence


def kept_epochs(epochs: int, keep: str, declined: Collection[int] = ()) -> list[int]:
    """The epochs out of 1 to `epochs` whose checkpoints are kept, without those that a person declined to save.

    `keep` is `all`, `last K` or `every N`.
    """
    offered = [epoch for epoch in range(1, epochs + 1) if epoch not in declined]
    rule, _, number = keep.partition(" ")
    if rule == "last":
        return offered[-int(number) :]
    return [epoch for epoch in offered if rule == "all" or epoch % int(number) == 0]


def chosen_epoch(history: Sequence[dict], criterion: str, declined: Collection[int] = ()) -> int:
    """The epoch that becomes the model: the smallest validation score, the earlier of equals; without any, the last.

    `history` has a row per epoch. Declined epochs are out of the question; if all were declined, it is the last.
    """
    offered = [row for row in history if row["epoch"] not in declined] or [history[-1]]
    scored = [row for row in offered if f"validation_{criterion}" in row]
    if not scored:
        return offered[-1]["epoch"]
    return min(scored, key=lambda row: (_or_infinite(row[f"validation_{criterion}"]), row["epoch"]))["epoch"]


def needed_epochs(history: Sequence[dict], keep: str, criterion: str, declined: Collection[int]) -> set[int]:
    """The epochs whose checkpoints are published: the kept ones, and the one that becomes the model."""
    return {*kept_epochs(len(history), keep, declined), chosen_epoch(history, criterion, declined)}


def epochs_to_keep(history: Sequence[dict], keep: str, criterion: str, declined: Collection[int]) -> set[int]:
    """The epochs whose checkpoints must stay for now: enough whether or not the last epoch will be declined."""
    last = history[-1]["epoch"]
    return needed_epochs(history, keep, criterion, declined) | needed_epochs(
        history, keep, criterion, {*declined, last}
    )


def _or_infinite(score: float) -> float:
    return score if math.isfinite(score) else math.inf
