"""Colours the frames of a film: decoding, the network, smoothing and recolouring overlap, in bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.film.smoothing import ChromaSmoother
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.photographs import Photograph
from colorizer.pixels.colors import lightness_of
from colorizer.pixels.patches import in_threads
from colorizer.video.plan import Frame

T = TypeVar("T")

_BATCH = 8  # frames that the network sees at a time
_BATCH_PIXELS = 2**22  # of the frames of a batch
_AHEAD = 4  # frames that are decoded ahead, and for each core those that are being recoloured or wait


@dataclass(frozen=True)
class _Seen:
    """A frame with the network's input."""

    frame: Frame
    photograph: Photograph
    lightness: NDArray[np.uint8]
    network_input: NDArray[np.uint8]


def color_frames(
    frames: Iterator[Frame], colorizer: Colorizer, finish: Callable[[int, NDArray[np.uint8]], T]
) -> Iterator[T]:
    """Colour the frames of a segment, the leading ones included, and yield what `finish` makes of them, in order.

    `finish` gets the time stamp and the sRGB (H, W, 3) of each frame that does not lead, in several threads. The
    network sees the same batches each time, because it rounds differently for other ones.
    """
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(threads) as pool:
        seen = _read_ahead((_see(frame, colorizer) for frame in frames), reader)

        def recolor(item: tuple[_Seen, NDArray[np.float32]]) -> T:
            one, ab = item
            return finish(one.frame.stamp, colorizer.recolor(one.photograph, one.network_input, ab).rgb)

        with closing(seen):
            yield from in_threads(pool, recolor, _smoothed(seen, colorizer), ahead=2 * threads)


def _see(frame: Frame, colorizer: Colorizer) -> _Seen:
    photograph = Photograph(pixels=frame.pixels)
    lightness = np.asarray(cv2.convertScaleAbs(lightness_of(frame.pixels)), np.uint8)
    return _Seen(frame, photograph, lightness, colorizer.network_input(photograph))


def _smoothed(seen: Iterable[_Seen], colorizer: Colorizer) -> Iterator[tuple[_Seen, NDArray[np.float32]]]:
    """Predict the a*, b* of all frames and smooth them; leave out those that lead."""
    smoother = ChromaSmoother()
    for batch in _batches(seen):
        predicted = colorizer.predict(np.stack([one.network_input for one in batch]))
        for one, ab in zip(batch, predicted, strict=True):
            height, width = colorizer.shape(*one.photograph.size).inner
            smooth = ab.copy()
            smooth[:height, :width] = smoother(one.lightness, ab[:height, :width])
            if not one.frame.is_lead:
                yield one, smooth


def _batches(seen: Iterable[_Seen]) -> Iterator[list[_Seen]]:
    batch: list[_Seen] = []
    for one in seen:
        batch.append(one)
        if len(batch) == _BATCH or len(batch) * one.lightness.size >= _BATCH_PIXELS:
            yield batch
            batch = []
    if batch:
        yield batch


def _read_ahead(items: Iterator[T], reader: Executor) -> Generator[T, None, None]:
    """Have the only thread of `reader` make the next items while the one before is in use."""
    waiting = deque(reader.submit(next, items, None) for _ in range(_AHEAD))
    try:
        while (item := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(next, items, None))
            yield item
    finally:
        for future in waiting:
            future.cancel()
