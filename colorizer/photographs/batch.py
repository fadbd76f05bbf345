"""Colours many photographs in batches of similar sizes; a bad file does not stop the rest."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.photographs.before_after import PAIR_TILE, Pair
from colorizer.photographs.colorizing import Colorizer, within_memory
from colorizer.photographs.decoding import read_photograph, read_size
from colorizer.photographs.jobs import Job
from colorizer.photographs.photographs import Format, Photograph, thumbnail, write_photograph

T = TypeVar("T")

# What a batch holds at most; a photograph that is larger by itself goes alone.
_BATCH = 16  # photographs
_BATCH_PIXELS = 24_000_000  # of the photographs
_BATCH_NETWORK_PIXELS = 2**20  # of what the network sees


@dataclass
class Summary:
    """The result of a run: how many photographs were coloured, and a line for each that could not be."""

    colored: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Read:
    job: Job
    photograph: Photograph
    network_input: NDArray[np.uint8]


def colorize_photographs(
    jobs: Sequence[Job],
    colorizer: Colorizer,
    file_format: Format,
    *,
    on_done: Callable[[int], None],
    on_pair: Callable[[Pair], None],
) -> Summary:
    """Colour the photographs of all jobs and write them.

    `on_done` is called with the number of photographs that were done since, `on_pair` with each one before and after.
    Reading, colouring and writing overlap. Memory is bounded, whatever the number of photographs.
    """
    summary = Summary()
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def write(item: _Read, ab: NDArray[np.float32]) -> Future[Pair]:
            return pool.submit(_recolor_and_write, colorizer, file_format, item, ab)

        for reading in _read_ahead(_batches(jobs, colorizer, summary, on_done), partial(_read, colorizer), pool):
            for pair in _color_batch(reading, colorizer, write, summary):
                if pair:
                    on_pair(pair)
                on_done(1)
            reading.clear()  # before the next ones are decoded
    return summary


def _color_batch(
    reading: Iterable[Future[_Read]],
    colorizer: Colorizer,
    write: Callable[[_Read, NDArray[np.float32]], Future[Pair]],
    summary: Summary,
) -> Iterator[Pair | None]:
    """Colour a batch; yield each photograph's Pair for the before-and-after sheets, or None if it failed."""
    by_shape = defaultdict(list)  # which may differ from what the photograph's header said
    for future in reading:
        item = _result(future, summary)
        if item is None:
            yield None
        else:
            by_shape[item.network_input.shape].append(item)
    for items in by_shape.values():
        predicted = _predict(colorizer, items, summary)
        writing = [None if ab is None else write(item, ab) for item, ab in zip(items, predicted, strict=True)]
        for written in writing:
            pair = _result(written, summary) if written else None
            summary.colored += pair is not None
            yield pair


def _predict(colorizer: Colorizer, items: Sequence[_Read], summary: Summary) -> list[NDArray[np.float32] | None]:
    """Predict for photographs of one shape, one by one if the memory is full; None for one that is too large alone."""
    try:
        with within_memory(items[0].job.source):
            return list(colorizer.predict(np.stack([item.network_input for item in items])))
    except UserError as error:
        if len(items) == 1:
            summary.failed.append(str(error))
            return [None]
    return [ab for item in items for ab in _predict(colorizer, [item], summary)]


def _read(colorizer: Colorizer, job: Job) -> _Read:
    with within_memory(job.source):
        photograph = read_photograph(job.source)
        return _Read(job, photograph, colorizer.network_input(photograph))


def _recolor_and_write(colorizer: Colorizer, file_format: Format, item: _Read, ab: NDArray[np.float32]) -> Pair:
    target = item.job.target
    with within_memory(item.job.source):
        colored = colorizer.recolor(item.photograph, item.network_input, ab)
        try:
            write_photograph(target, colored, file_format)
        except OSError as error:
            raise UserError(f"{target} cannot be written: {(error.strerror or str(error)).lower()}") from error
        return Pair(target.name, thumbnail(item.photograph, PAIR_TILE), thumbnail(colored, PAIR_TILE))


def _batches(
    jobs: Sequence[Job], colorizer: Colorizer, summary: Summary, on_done: Callable[[int], None]
) -> Iterator[tuple[list[Job], int]]:
    """Jobs whose photographs can share a batch, and how many pixels they have together."""
    shapes, pixels = {}, {}
    for job in jobs:
        try:
            height, width = read_size(job.source)
        except UserError as error:
            summary.failed.append(str(error))
            on_done(1)
        else:
            shapes[job], pixels[job] = colorizer.shape(height, width).padded, height * width
    batch: list[Job] = []
    for job in sorted(shapes, key=shapes.__getitem__):
        shape, total = shapes[job], sum(pixels[other] for other in batch)
        most = min(_BATCH, _BATCH_NETWORK_PIXELS // (shape[0] * shape[1]))
        if batch and (shape != shapes[batch[0]] or len(batch) >= most or total + pixels[job] > _BATCH_PIXELS):
            yield batch, total
            batch = []
        batch.append(job)
    if batch:
        yield batch, sum(pixels[job] for job in batch)


def _read_ahead(
    batches: Iterable[tuple[list[Job], int]], read: Callable[[Job], _Read], pool: ThreadPoolExecutor
) -> Iterator[list[Future[_Read]]]:
    """Have a batch read while the one before is in use, unless it is a single huge photograph."""
    before: list[Future[_Read]] = []
    for batch, pixels in batches:
        if before and pixels > _BATCH_PIXELS:
            yield before
            before = []
        reading = [pool.submit(read, job) for job in batch]
        if before:
            yield before
        before = reading
    if before:
        yield before


def _result(future: Future[T], summary: Summary) -> T | None:
    """Return the future's result; on a UserError add its line to the summary and return None."""
    try:
        return future.result()
    except UserError as error:
        summary.failed.append(str(error))
        return None
