"""Plans a run: which photographs to colour, and into which files."""

import os
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from stat import S_ISDIR

from colorizer.core.errors import UserError
from colorizer.photographs.files import Format, find_photographs, named
from colorizer.photographs.hints import Hint, parse_hints, read_hints

WORKING_SIZES = range(16, 1025)  # pixels: the shorter side at which a network can be told to see photographs


@dataclass(frozen=True)
class Job:
    """A photograph to colour, the file to write, and colours that are known in the photograph."""

    source: Path
    target: Path
    hints: tuple[Hint, ...] = ()


def plan_jobs(inputs: Sequence[Path], out: Path, file_format: Format) -> list[Job]:
    """Give every photograph in files and folders a path of the same name under `out`, with the format's suffix.

    Names that differ by their suffix only keep it, as in `a.jpg.png`. When `out` lies in a folder that is given, what
    it holds is no input. Raises UserError for inputs that do not exist, folders without photographs, names that cannot
    be written, two inputs of one name on the file system of `out`, and when an input would be overwritten.
    """
    if any(_is_same(given, out) for given in inputs):
        raise UserError(f"{out} is both input and output: choose another folder with --out")
    is_output = cache(lambda folder: any(_is_same(above, out) for above in (folder, *folder.parents)))
    found: dict[tuple[Path, Path], None] = {}  # in order, each once
    for given in inputs:
        is_in_out = is_output(given.resolve().parent)
        for source, name in find_photographs(given):
            # realpath takes links to themselves, too: whoever reads the photograph tells.
            if is_in_out or not is_output(Path(os.path.realpath(source)).parent):
                found[source, name] = None
    shared = Counter(named(name, file_format) for _, name in found)
    jobs = []
    for source, name in found:
        target = named(name, file_format)
        jobs.append(Job(source, out / (named(Path(f"{name}.x"), file_format) if shared[target] > 1 else target)))
    there = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    _refuse_bad_targets(jobs, there)
    _refuse_equal_targets(jobs, out, there)
    return jobs


def _is_same(first: Path, second: Path) -> bool:
    """Whether both are one file or folder, by whatever names."""
    return first.exists() and second.exists() and first.samefile(second)


def _refuse_bad_targets(jobs: Sequence[Job], there: Path) -> None:
    """Raise UserError when a file to write is an input, a folder, or has a name that the file system does not take.

    `there` is a folder of that file system.
    """
    existing = []
    for job in jobs:
        try:
            _mode(there / job.target.name)  # tells a name that is too long, before the folder for it is made
            mode = _mode(job.target)
        except OSError as error:
            raise UserError(
                f"{job.target} cannot be written: {(error.strerror or '').lower()}; "
                f"choose another name for {job.source}, another --out or another --format"
            ) from error
        if mode is None:
            continue
        if S_ISDIR(mode):
            raise UserError(f"{job.target} is a folder, so {job.source} cannot become it: choose another --out")
        existing.append(job)
    if not existing:
        return
    sources = {os.path.realpath(job.source) for job in jobs}
    places = {_place(job.source): job.source for job in jobs}
    for job in existing:
        # On a file system that ignores case, a.png is A.PNG under another name.
        same = places.get(_place(job.target))
        if os.path.realpath(job.target) in sources or (same and same.exists() and job.target.samefile(same)):
            raise UserError(f"{job.target} would overwrite an input: choose another folder with --out")


def _mode(path: Path) -> int | None:
    """The kind of a file or folder, None if there is none."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _place(path: Path) -> tuple[int, int, str]:
    """The folder of a file that exists, and its name as the least exact file system takes it."""
    folder = path.parent.stat()
    return folder.st_dev, folder.st_ino, folded(Path(path.name))


def folded(path: Path) -> str:
    """A path without what some file systems ignore: upper case, forms of Unicode, dots and blanks that end a name."""
    parts = [unicodedata.normalize("NFKC", part).casefold().rstrip(". ") or part for part in path.parts]
    return unicodedata.normalize("NFKC", "/".join(parts))


def _refuse_equal_targets(jobs: Sequence[Job], out: Path, there: Path) -> None:
    """Raise UserError when two inputs would become one file, or a file and a folder of one name.

    Links in `out` are followed. Only the file system knows which names are one. So files of names that are alike are
    made, empty, in a temporary folder in `there`.
    """
    base = Path(os.path.realpath(out))
    place = cache(lambda folder: _below(base, Path(os.path.realpath(folder))))
    targets = [(place(job.target.parent) / job.target.name, job) for job in jobs]
    files = Counter(folded(target) for target, _ in targets)
    folders = {folded(above) for target, _ in targets for above in target.parents}
    alike = [
        (target, job)
        for target, job in targets
        if files[folded(target)] > 1
        or folded(target) in folders
        or any(folded(above) in files for above in target.parents)
    ]
    if not alike:
        return
    try:
        with tempfile.TemporaryDirectory(dir=there, prefix=".colorizer-") as trial:
            for target, job in alike:
                file = Path(trial, target)
                try:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.touch(exist_ok=False)
                except (FileExistsError, NotADirectoryError):
                    what = job.target if file.is_file() else "a file and a folder of one name"
                    raise UserError(
                        f"two inputs would become {what}, the second is {job.source}: colour them into different "
                        "folders"
                    ) from None
    except OSError as error:
        raise UserError(f"{out} cannot be written to: {(error.strerror or '').lower()}") from error


def _below(base: Path, folder: Path) -> Path:
    """Give a folder's path from `base`; for one that lies elsewhere, one that no folder in `base` has."""
    return folder.relative_to(base) if folder.is_relative_to(base) else Path(".elsewhere", *folder.parts[1:])


def shard_of(jobs: Sequence[Job], shard: str | None) -> Sequence[Job]:
    """Select part K of N of the jobs: every N-th from the K-th on, K from 1; all when `shard` is None.

    Raises UserError when `shard` is not of the form `K/N`.
    """
    if shard is None:
        return jobs
    parts = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", shard)
    number, count = map(int, parts.groups()) if parts else (0, 0)
    if not 1 <= number <= count:
        raise UserError(f"--shard {shard}: write K/N with K from 1 to N, `1/4` for example")
    return jobs[number - 1 :: count]


def with_hints(jobs: Sequence[Job], texts: Sequence[str], table: Path | None) -> Sequence[Job]:
    """Give the only job the hints of a table, if there is one, and of texts after it; without any, return the jobs.

    Raises UserError for hints that cannot be read, and when there are several jobs: a hint is a place in one picture.
    """
    hints = (*(read_hints(table) if table else ()), *parse_hints(texts))
    if not hints:
        return jobs
    if len(jobs) != 1:
        raise UserError(f"hints are places in one photograph, and there are {len(jobs)}: colour it alone")
    return [replace(jobs[0], hints=hints)]
