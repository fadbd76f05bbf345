"""Colours photographs for the page, with one of the models here, and removes old files."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from colorizer.core.errors import UserError, within_memory
from colorizer.data.sample import built_in_photographs
from colorizer.models.model import Model, load_model
from colorizer.models.registry import find_model, models_at_hand
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.photographs import named, thumbnail, write_photograph

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


def color(photograph: Path, model: str, strength: float, folder: Path) -> Colored:
    """Colour a photograph into a new folder inside `folder`. Raises UserError for a bad photograph or model."""
    started = time.monotonic()
    loaded = load_at_hand(model)
    with within_memory("close other programs, or take a smaller photograph", photograph):
        original = read_photograph(photograph)
        colored = Colorizer(model=loaded, size=loaded.info.training_size, strength=strength)(original)
        out = Path(tempfile.mkdtemp(dir=folder))
        full = named(out / photograph.name, "png")
        write_photograph(full, colored, "png")
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
        caption=f"{photograph.name}: {width} x {height} px, model of epoch {loaded.info.epoch}, {seconds:.1f} s",
    )


def load_at_hand(name: str) -> Model:
    """Load a model by path or registered name. Raises UserError if it is none of `models_at_hand`, or damaged."""
    if name not in models_at_hand(Path.cwd()).values():  # no other file of this machine
        raise UserError(f"{name} is not among the models at hand")
    path = find_model(Path.cwd(), name)
    return _load_file(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load_file(path: Path, modified: int) -> Model:
    return load_model(path)


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
