"""Colours many photographs in batches of similar sizes; a bad file does not stop the rest."""

import gc
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import prod
from threading import Event
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import OutOfMemoryError, UserError, is_out_of_memory, within_memory
from colorizer.photographs.before_after import PAIR_TILE, Pair
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.decoding import read_photograph, read_size
from colorizer.photographs.files import Format
from colorizer.photographs.jobs import Job
from colorizer.photographs.photographs import DEEP_FORMATS, Photograph, thumbnail, write_photograph

T = TypeVar("T")

# What a batch holds at most; a photograph that is larger by itself goes alone.
_BATCH = 16  # photographs
_BATCH_PIXELS = 24_000_000  # of the photographs
_BATCH_NETWORK_PIXELS = 2**20  # of what the network sees
_LARGE = 2**21  # pixels of a photograph that all threads colour together; smaller ones each have a thread

_within_memory = partial(within_memory, "close other programs, make the photograph smaller, or lower --size")


@dataclass
class Summary:
    """The result of a run: how many photographs were coloured, and a line for each that could not be."""

    colored: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Run:
    """What is the same for all photographs."""

    colorizer: Colorizer
    file_format: Format
    with_pairs: bool


@dataclass(frozen=True)
class _Read:
    job: Job
    photograph: Photograph
    network_input: NDArray[np.uint8]
    known: NDArray[np.uint8] | None


def colorize_photographs(
    jobs: Sequence[Job],
    colorizer: Colorizer,
    file_format: Format,
    *,
    on_done: Callable[[int], None],
    on_pair: Callable[[Pair], None] | None = None,
) -> Summary:
    """Colour the photographs of all jobs and write them.

    `on_done` is called with the number of photographs that were done since, `on_pair` with each one before and after.
    Reading, colouring and writing overlap, in as many threads as there are cores: several small photographs at a time,
    or parts of a large one. Memory is bounded, whatever the number of photographs; those that it was too small for
    beside others are coloured at the end, each alone. Raises UserError for hints that `Colorizer.refuse_hints` refuses.
    """
    for job in jobs:
        if job.hints:
            colorizer.refuse_hints(job.hints, read_size(job.source))
    summary = Summary()

    def note(result: Pair | UserError | None) -> None:
        if isinstance(result, UserError):
            summary.failed.append(str(result))
        else:
            summary.colored += 1
            if on_pair and result:
                on_pair(result)
        on_done(1)

    run = _Run(colorizer, file_format, with_pairs=on_pair is not None)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        _start_threads(pool)
        crowded = []
        for job, result in _color(jobs, run, pool):
            if isinstance(result, OutOfMemoryError):
                crowded.append(job)
            else:
                note(result)
        for job in crowded:
            gc.collect()  # what failed may still hold pixels
            for _, result in _color([job], run, pool):
                note(result)
    return summary


def _start_threads(pool: ThreadPoolExecutor) -> None:
    """Have the pool start all of its threads now: when the memory is full, none could be started."""
    all_started = Event()
    try:
        for _ in range(os.cpu_count() or 1):
            pool.submit(all_started.wait)
    finally:
        all_started.set()


def _color(jobs: Sequence[Job], run: _Run, pool: ThreadPoolExecutor) -> Iterator[tuple[Job, Pair | UserError | None]]:
    """Colour and write the photographs; yield what became of each, or why it failed."""
    batches, failed = _batches(jobs, run.colorizer)
    yield from failed
    read = partial(_read, run.colorizer, deep=run.file_format in DEEP_FORMATS)
    for reading in _read_ahead(batches, read, pool):
        yield from _color_batch(reading, run, pool)
        reading.clear()  # before the next ones are decoded


def _color_batch(
    reading: Iterable[tuple[Job, Future[_Read]]], run: _Run, pool: ThreadPoolExecutor
) -> Iterator[tuple[Job, Pair | UserError | None]]:
    by_shape = defaultdict(list)  # which may differ from what the photograph's header said
    for job, future in reading:
        item = _result(future)
        if isinstance(item, UserError):
            yield job, item
        else:
            by_shape[item.network_input.shape].append(item)
    for items in by_shape.values():
        writing = []
        for item, ab in zip(items, _predict(run.colorizer, items), strict=True):
            if isinstance(ab, UserError):
                yield item.job, ab
            elif prod(item.photograph.size) < _LARGE:
                writing.append((item.job, pool.submit(_recolor_and_write, run, item, ab)))
            else:
                pair = _result(_done_here(partial(_recolor_and_write, run, item, ab, pool)))
                yield item.job, pair
        for job, written in writing:
            pair = _result(written)
            yield job, pair


def _done_here(work: Callable[[], T]) -> Future[T]:
    """Do some work in this thread, which is none of the pool's: it may wait for them."""
    future: Future[T] = Future()
    try:
        future.set_result(work())
    except UserError as error:
        future.set_exception(error)
    return future


def _predict(colorizer: Colorizer, items: Sequence[_Read]) -> list[NDArray[np.float32] | UserError]:
    """Predict for photographs of one shape, one by one if the memory is full."""
    try:
        with _within_memory(items[0].job.source):
            known = [item.known for item in items if item.known is not None]  # none, or as many as items
            inputs = np.stack([item.network_input for item in items])
            return list(colorizer.predict(inputs, np.stack(known) if known else None))
    except OutOfMemoryError as error:
        if len(items) == 1:
            return [_bare(error)]
    return [ab for item in items for ab in _predict(colorizer, [item])]


def _read(colorizer: Colorizer, job: Job, *, deep: bool) -> _Read:
    with _within_memory(job.source):
        photograph = read_photograph(job.source, deep=deep)
        known = colorizer.known(job.hints, photograph.size)
        return _Read(job, photograph, colorizer.network_input(photograph), known)


def _recolor_and_write(
    run: _Run, item: _Read, ab: NDArray[np.float32], pool: ThreadPoolExecutor | None = None
) -> Pair | None:
    target = item.job.target
    with _within_memory(item.job.source):
        colored = run.colorizer.recolor(item.photograph, item.network_input, ab, pool)
        try:
            write_photograph(target, colored, run.file_format, pool)
        except OSError as error:
            if is_out_of_memory(error):
                raise
            raise UserError(f"{target} cannot be written: {(error.strerror or str(error)).lower()}") from error
        if not run.with_pairs:
            return None
        return Pair(target.name, thumbnail(item.photograph, PAIR_TILE), thumbnail(colored, PAIR_TILE))


def _batches(
    jobs: Sequence[Job], colorizer: Colorizer
) -> tuple[list[tuple[list[Job], int]], list[tuple[Job, UserError]]]:
    """Jobs whose photographs can share a batch, with how many pixels they have together; and what cannot be read."""
    shapes, pixels, failed = {}, {}, []
    for job in jobs:
        try:
            with _within_memory(job.source):
                height, width = read_size(job.source)
        except UserError as error:
            failed.append((job, _bare(error)))
        else:
            shapes[job], pixels[job] = colorizer.shape(height, width).padded, height * width
    batches: list[tuple[list[Job], int]] = []
    batch: list[Job] = []
    for job in sorted(shapes, key=shapes.__getitem__):
        shape, total = shapes[job], sum(pixels[other] for other in batch)
        most = min(_BATCH, _BATCH_NETWORK_PIXELS // (shape[0] * shape[1]))
        if batch and (shape != shapes[batch[0]] or len(batch) >= most or total + pixels[job] > _BATCH_PIXELS):
            batches.append((batch, total))
            batch = []
        batch.append(job)
    if batch:
        batches.append((batch, sum(pixels[job] for job in batch)))
    return batches, failed


def _read_ahead(
    batches: Iterable[tuple[list[Job], int]], read: Callable[[Job], _Read], pool: ThreadPoolExecutor
) -> Iterator[list[tuple[Job, Future[_Read]]]]:
    """Have a batch read while the one before is in use, unless it is a single huge photograph."""
    before: list[tuple[Job, Future[_Read]]] = []
    for batch, pixels in batches:
        if before and pixels > _BATCH_PIXELS:
            yield before
            before = []
        reading = [(job, pool.submit(read, job)) for job in batch]
        if before:
            yield before
        before = reading
    if before:
        yield before


def _result(future: Future[T]) -> T | UserError:
    """Return the future's result, or the UserError that it ended in."""
    error = future.exception()
    if error is None:
        return future.result()
    if not isinstance(error, UserError):
        raise error
    return _bare(error)


def _bare(error: UserError) -> UserError:
    """Copy an error without its traceback, which keeps the photograph in memory."""
    return type(error)(str(error))
