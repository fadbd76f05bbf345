"""Divides large pictures into patches that fit into a core's cache, and works on them in threads."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PIXELS = 2**16  # of a patch: its floats, ten or so a pixel, nearly fit into the cache of a core
_COLUMNS = 512
_AHEAD = 4 * (os.cpu_count() or 1)


def patches(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of patches that cover a picture of this size."""
    columns = min(width, _COLUMNS)
    rows = _PIXELS // columns
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield slice(top, min(top + rows, height)), slice(left, min(left + columns, width))


def in_threads(pool: Executor | None, work: Callable[[T], R], items: Iterable[T], ahead: int = _AHEAD) -> Iterator[R]:
    """Apply `work` to each item, in the threads of `pool` if there is one; yield the results in order.

    At most `ahead` items are under way or wait to be yielded at a time. Never call this with a pool in one of its own
    threads: they would wait for each other.
    """
    if pool is None:
        yield from map(work, items)
        return
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
