"""Colouring many photographs, in batches of similar sizes; one bad file does not stop the rest."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from colorizer.colorizing import Colorizer
from colorizer.errors import UserError
from colorizer.photographs import (
    Format,
    Photograph,
    find_photographs,
    named,
    read_photograph,
    read_size,
    thumbnail,
    write_photograph,
)
from colorizer.sheets import PAIR_TILE, Pair

T = TypeVar("T")

_BATCH = 16  # photographs
_BATCH_PIXELS = 24_000_000  # of decoded photographs; a larger photograph goes alone


@dataclass(frozen=True)
class Job:
    """A photograph and the file that is to hold it in colour."""

    source: Path
    target: Path


@dataclass
class Summary:
    """What became of the photographs: how many were coloured, and a line for each that could not be."""

    coloured: int = 0
    failed: list[str] = field(default_factory=list)


def plan_jobs(inputs: Iterable[Path], out: Path, file_format: Format) -> list[Job]:
    """Files, folders and what is below them -> paths under `out` of the same names, with the format's suffix.

    Names that differ by their suffix only keep it, as in `a.jpg.png`. Raises UserError for inputs that do not exist,
    folders without photographs, two inputs of one name, and when an input would be overwritten.
    """
    found = list(dict.fromkeys(find_photographs(inputs)))
    shared = Counter(named(name, file_format) for _, name in found)
    jobs = []
    for source, name in found:
        target = named(name, file_format)
        jobs.append(Job(source, out / (named(Path(f"{name}.x"), file_format) if shared[target] > 1 else target)))
    sources = {job.source.resolve() for job in jobs}
    if overwritten := [job for job in jobs if job.target.resolve() in sources]:
        raise UserError(f"{overwritten[0].target} would overwrite an input: choose another folder with --out")
    if twice := [target for target, count in Counter(job.target for job in jobs).items() if count > 1]:
        raise UserError(f"two inputs would become {twice[0]}: colour them into different folders")
    return jobs


def shard_of(jobs: Sequence[Job], shard: str | None) -> Sequence[Job]:
    """Of `K/N` every N-th job from the K-th on, K from 1; without a shard all. Raises UserError when it is neither."""
    if shard is None:
        return jobs
    number, _, count = shard.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise UserError(f"--shard {shard}: write K/N with K from 1 to N, `1/4` for example")
    return jobs[int(number) - 1 :: int(count)]


def colorize_photographs(
    jobs: Sequence[Job],
    colorizer: Colorizer,
    file_format: Format,
    *,
    on_done: Callable[[int], None],
    on_pair: Callable[[Pair], None],
) -> Summary:
    """Colour every photograph and write it; `on_done` is told how many more are done, `on_pair` is given each.

    Reading, colouring and writing overlap. Memory is bounded, whatever the number of photographs.
    """
    summary = Summary()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = _batches(jobs, colorizer, summary, on_done)
        for reading in _read_ahead(batches, partial(_read, colorizer), pool):
            read = [result for future in reading if (result := _result(future, summary))]
            if read:
                ab = colorizer.predict(np.stack([item.look for item in read]))
                write = partial(_recolour_and_write, colorizer, file_format)
                for future in [pool.submit(write, item, chroma) for item, chroma in zip(read, ab, strict=True)]:
                    if pair := _result(future, summary):
                        summary.coloured += 1
                        on_pair(pair)
            on_done(len(reading))
    return summary


@dataclass(frozen=True)
class _Read:
    job: Job
    photograph: Photograph
    look: NDArray[np.uint8]


def _read(colorizer: Colorizer, job: Job) -> _Read:
    photograph = read_photograph(job.source)
    return _Read(job, photograph, colorizer.look(photograph))


def _recolour_and_write(colorizer: Colorizer, file_format: Format, item: _Read, ab: NDArray[np.float32]) -> Pair:
    coloured = colorizer.recolour(item.photograph, ab)
    target = item.job.target
    try:
        write_photograph(target, coloured, file_format)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {(error.strerror or str(error)).lower()}") from error
    return Pair(target.name, thumbnail(item.photograph, PAIR_TILE), thumbnail(coloured, PAIR_TILE))


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
        total = sum(pixels[other] for other in batch)
        if batch and (shapes[job] != shapes[batch[0]] or len(batch) == _BATCH or total + pixels[job] > _BATCH_PIXELS):
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
    """What came of it; None, and a line in the summary, when it was the photograph's fault."""
    try:
        return future.result()
    except UserError as error:
        summary.failed.append(str(error))
        return None
