"""Which epochs' checkpoints are kept, and which epoch becomes the model."""

import re
from collections.abc import Collection, Sequence


def parse_retention(keep: str) -> tuple[str, int]:
    """`all`, `last K` or `every N` as (rule, number); raises ValueError for anything else."""
    match = re.fullmatch(r"(all)|(last|every) ([1-9]\d*)", keep)
    if not match:
        raise ValueError("write all, last K or every N, for instance last 5")
    return ("all", 1) if match[1] else (match[2], int(match[3]))


def kept_epochs(epochs: int, keep: str, declined: Collection[int] = ()) -> list[int]:
    """The epochs out of 1 to `epochs` whose checkpoints are kept, without those that a person declined to save."""
    rule, number = parse_retention(keep)
    offered = [epoch for epoch in range(1, epochs + 1) if epoch not in declined]
    if rule == "last":
        return offered[-number:]
    return [epoch for epoch in offered if epoch % number == 0]


def chosen_epoch(history: Sequence[dict], criterion: str, declined: Collection[int] = ()) -> int:
    """The epoch that becomes the model: the smallest validation score, the earlier of equals; without any, the last.

    `history` has a row per epoch. Declined epochs are out of the question; if all were declined, it is the last.
    """
    offered = [row for row in history if row["epoch"] not in declined] or [history[-1]]
    scored = [row for row in offered if f"validation_{criterion}" in row]
    if not scored:
        return offered[-1]["epoch"]
    return min(scored, key=lambda row: (row[f"validation_{criterion}"], row["epoch"]))["epoch"]
