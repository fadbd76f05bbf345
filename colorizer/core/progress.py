"""Shows progress: a bar in a terminal, plain lines in a log."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 15
_SECONDS_BETWEEN_NOTES = 0.5


class Progress:
    """Shows on standard error how many of `total` images are done, with rate and time left.

    `label` may be changed meanwhile. `stream` takes the place of standard error. `unit` is what is counted.
    """

    def __init__(self, label: str, *, total: int, stream: TextIO | None = None, unit: str = "img") -> None:
        self.label, self._unit = label, unit
        self._stream = stream or sys.stderr
        self._total, self._done = total, 0
        self._started = self._last_shown = time.monotonic()
        self._bar: tqdm | None = None
        if self._stream.isatty():
            columns, rows = shutil.get_terminal_size()  # 80 x 24 where the terminal does not know its size
            self._bar = tqdm(desc=label, total=total, unit=unit, file=self._stream, ncols=columns, nrows=rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the bar until the block ends, and leave that time out of the rate."""
        paused = time.monotonic()
        if self._bar is not None:
            self._bar.clear()
        yield
        self._started += time.monotonic() - paused
        if self._bar is not None:
            self._bar.unpause()

    def advance(self, count: int, notes: Callable[[], str] | None = None) -> None:
        """Add `count` images to those that are done. `notes` is called only when its text is about to be shown."""
        self._done += count
        now = time.monotonic()
        interval = _SECONDS_BETWEEN_NOTES if self._bar is not None else _SECONDS_BETWEEN_LINES
        due = now - self._last_shown >= interval or self._done == self._total
        if due:
            self._last_shown = now
        text = notes() if due and notes else ""
        if self._bar is not None:
            if due:
                self._bar.set_description_str(self.label, refresh=False)
                self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(count)
        elif due:
            rate = self._done / max(now - self._started, 1e-9)
            left = f"{(self._total - self._done) / rate:.0f} s left"
            line = [f"{self.label}: {self._done}/{self._total} {self._unit}", f"{rate:.3g} {self._unit}/s", left]
            print(", ".join(line + ([text] if text else [])), file=self._stream, flush=True)
