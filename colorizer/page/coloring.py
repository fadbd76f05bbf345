"""Colours photographs for the page, with one of the models here, and removes old files."""

import os
import shutil
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from colorizer.core.errors import UserError, within_memory
from colorizer.core.files import atomic_write
from colorizer.data.sample import built_in_photographs
from colorizer.models.model import Model
from colorizer.models.registry import find_model, models_at_hand
from colorizer.models.twin import load_for_photographs
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.decoding import MAX_PIXELS, read_photograph, read_size
from colorizer.photographs.jobs import WORKING_SIZES, folded
from colorizer.photographs.photographs import Photograph, named, thumbnail, write_photograph

MAX_MEGAPIXELS = 100  # of a photograph: less than the command takes, as one machine may serve many people
_PREVIEW = 1600  # pixels: the longer side of what the page shows
_SECONDS_KEPT = 3600
_EXAMPLES = ("china.jpg", "flower.jpg", "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


@dataclass(frozen=True, kw_only=True)
class Colored:
    """The files of one coloured photograph: `before` and `after` for the page, `full` in full size to download."""

    before: Path
    after: Path
    full: Path
    caption: str


def color(photograph: Path, model: str, strength: float, size: int, folder: Path) -> Colored:
    """Colour a photograph into a new folder inside `folder`.

    size: the shorter side at which the network sees it, in pixels, or 0 for that of its training. Raises UserError for
    a bad photograph, model or size.
    """
    if size and size not in WORKING_SIZES:
        raise UserError(f"a size of {size} is not between {WORKING_SIZES[0]} and {WORKING_SIZES[-1]} px")
    started = time.monotonic()
    loaded = load_at_hand(model)
    with within_memory("close other programs, or take a smaller photograph", photograph):
        original = read_upload(photograph, deep=True)
        colorizer = Colorizer(model=loaded, size=size or loaded.info.training_size, strength=strength)
        out = Path(tempfile.mkdtemp(dir=folder))
        full = named(out / photograph.name, "png")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            colored = colorizer(original, pool)
            write_photograph(full, colored, "png", pool)
    height, width = original.size
    (out / "small").mkdir()
    before, after = out / "small" / "before.png", out / "small" / "after.png"
    for path, shown in ((before, original), (after, colored)):
        thumbnail(shown, _PREVIEW).save(path, compress_level=1)
    seconds = time.monotonic() - started
    return Colored(
        before=before,
        after=after,
        full=full,
        caption=(
            f"{photograph.name}: {width} x {height} px, model of epoch {loaded.info.epoch}, "
            f"seen at {colorizer.size} px, {seconds:.1f} s"
        ),
    )


def read_upload(path: Path, *, deep: bool = False) -> Photograph:
    """Read a photograph as `read_photograph` does, but none of more than MAX_MEGAPIXELS."""
    height, width = read_size(path)
    if height * width > MAX_MEGAPIXELS * 1_000_000:
        raise UserError(
            f"{path} has {width} x {height} pixels: at most {MAX_MEGAPIXELS} megapixels on this page; "
            f"`python -m colorizer colorize` takes {MAX_PIXELS // 1_000_000}"
        )
    return read_photograph(path, deep=deep)


def zip_results(done: Sequence[Colored], folder: Path) -> Path:
    """Write the full-size results into one ZIP, in a new folder inside `folder`.

    Names that are equal on some system, such as `a.png` and `A.png`, get numbers. Raises UserError when the disk is
    full.
    """
    path = Path(tempfile.mkdtemp(dir=folder)) / "coloured.zip"
    names: Counter[str] = Counter()
    with atomic_write(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:  # PNG is packed
        for file in (item.full for item in done):
            name = file.name
            while names[folded(Path(name))]:
                names[folded(Path(file.name))] += 1
                name = f"{file.stem}-{names[folded(Path(file.name))]}{file.suffix}"
            names[folded(Path(name))] += 1
            archive.write(file, name)
    return path


def load_at_hand(name: str) -> Model:
    """Load a model by path or registered name. Raises UserError if it is none of `models_at_hand`, or damaged."""
    if name not in models_at_hand(Path.cwd()).values():  # no other file of this machine
        raise UserError(f"{name} is not among the models at hand")
    path = find_model(Path.cwd(), name)
    return _load_file(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load_file(path: Path, modified: int) -> Model:
    return load_for_photographs(path)


def write_examples(folder: Path) -> list[Path]:
    """Write some of the built-in photographs as grey PNGs to `folder`, which is made, and return their paths."""
    folder.mkdir()
    paths = []
    for name, pixels in built_in_photographs():
        if name in _EXAMPLES:
            paths.append(folder / Path(name).with_suffix(".png"))
            Image.fromarray(pixels).convert("L").save(paths[-1])
    return paths


def remove_old(folder: Path) -> None:
    """Remove the results in `folder` that are older than an hour."""
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > _SECONDS_KEPT:
            shutil.rmtree(path, ignore_errors=True)
