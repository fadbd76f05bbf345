"""Plans a run: which photographs to colour, and into which files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.photographs.photographs import Format, find_photographs, named


@dataclass(frozen=True)
class Job:
    """A photograph to colour, and the file to write."""

    source: Path
    target: Path


def plan_jobs(inputs: Sequence[Path], out: Path, file_format: Format) -> list[Job]:
    """Give every photograph in files and folders a path of the same name under `out`, with the format's suffix.

    Names that differ by their suffix only keep it, as in `a.jpg.png`. When `out` lies in a folder that is given, what
    it holds is no input. Raises UserError for inputs that do not exist, folders without photographs, two inputs of one
    name, and when an input would be overwritten.
    """
    outside = out.resolve()
    if any(given.resolve() == outside for given in inputs):
        raise UserError(f"{out} is both input and output: choose another folder with --out")
    found: dict[tuple[Path, Path], None] = {}  # in order, each once
    for given in inputs:
        holds_out = given.resolve() in outside.parents
        for source, name in find_photographs(given):
            if not (holds_out and outside in source.resolve().parents):
                found[source, name] = None
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
    """Select part K of N of the jobs: every N-th from the K-th on, K from 1; all when `shard` is None.

    Raises UserError when `shard` is not of the form `K/N`.
    """
    if shard is None:
        return jobs
    number, _, count = shard.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise UserError(f"--shard {shard}: write K/N with K from 1 to N, `1/4` for example")
    return jobs[int(number) - 1 :: int(count)]
