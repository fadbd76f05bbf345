"""Colours uploads at their full size, with one of the models here, packs them, and removes old files."""

import os
import shutil
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
from colorizer.photographs.files import named
from colorizer.photographs.hints import Hint
from colorizer.photographs.jobs import WORKING_SIZES, folded
from colorizer.photographs.photographs import Photograph, write_photograph

MAX_MEGAPIXELS = 100  # of a photograph: less than the command takes, as one machine may serve many people
SECONDS_KEPT = 3600  # of uploads, results and previews
_EXAMPLES = ("china.jpg", "flower.jpg", "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def color(photograph: Path, model: str, strength: float, size: int, folder: Path, hints: Sequence[Hint] = ()) -> Path:
    """Colour a photograph at its full size, as the command does: a PNG in a new folder inside `folder`.

    size: the shorter side at which the network sees it, in pixels, or 0 for that of its training. Raises UserError for
    a bad photograph, model, strength or size, and for hints that `Colorizer.known` refuses.
    """
    loaded = load_at_hand(model)
    colorizer = Colorizer(model=loaded, size=network_size(loaded, size), strength=strength)
    if hints:
        colorizer.refuse_hints(hints, upload_size(photograph))
    path = named(Path(tempfile.mkdtemp(dir=folder)) / photograph.name, "png")
    with (
        within_memory("close other programs, or take a smaller photograph", photograph),
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        write_photograph(path, colorizer(read_upload(photograph, deep=True), pool, hints), "png", pool)
    return path


def network_size(model: Model, size: int) -> int:
    """Return the shorter side at which a model sees photographs, for `size` as in `color`; UserError for a bad one."""
    if size and size not in WORKING_SIZES:
        raise UserError(f"a size of {size} is not between {WORKING_SIZES[0]} and {WORKING_SIZES[-1]} px")
    return size or model.info.training_size


def read_upload(path: Path, *, at_least: int | None = None, deep: bool = False) -> Photograph:
    """Read a photograph as `read_photograph` does; raises UserError also as `upload_size` does."""
    upload_size(path)
    return read_photograph(path, at_least=at_least, deep=deep)


def upload_size(path: Path) -> tuple[int, int]:
    """Read height and width of an upload as `read_size` does.

    Raises UserError also for more than MAX_MEGAPIXELS, and for an upload that was removed, as Gradio does after an
    hour.
    """
    if not path.exists():
        raise UserError(f"{path} was removed after an hour: give it once more")
    height, width = read_size(path)
    if height * width > MAX_MEGAPIXELS * 1_000_000:
        raise UserError(
            f"{path} has {width} x {height} pixels: at most {MAX_MEGAPIXELS} megapixels on this page; "
            f"`python -m colorizer colorize` takes {MAX_PIXELS // 1_000_000}"
        )
    return height, width


def zip_results(files: Sequence[Path], folder: Path) -> Path:
    """Write coloured photographs into one ZIP, in a new folder inside `folder`.

    Names that are equal on some system, such as `a.png` and `A.png`, get numbers. Raises UserError when the disk is
    full.
    """
    path = Path(tempfile.mkdtemp(dir=folder)) / "coloured.zip"
    names: Counter[str] = Counter()
    with atomic_write(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:  # PNG is packed
        for file in files:
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
        if time.time() - path.stat().st_mtime > SECONDS_KEPT:
            shutil.rmtree(path, ignore_errors=True)
