"""Knows films by the suffixes of their names: no package is imported, so that `--help` comes at once."""

import re
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.photographs.files import SUFFIXES

# fmt: off
FILM_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".dv", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf",
    ".nut", ".ogv", ".ts", ".vob", ".webm", ".wmv",
})
# fmt: on
OUT_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")  # which hold frames of any duration


def is_film(path: Path) -> bool:
    """True if the name is that of a film, and no folder has it."""
    return path.suffix.lower() in FILM_SUFFIXES and not path.is_dir()


def find_frames(folder: Path) -> list[Path]:
    """List the photographs that are directly in a folder, in the order of their names, numbers by their value.

    `frame-9.png` comes before `frame-10.png`. Raises UserError when there are none.
    """
    paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    frames = [path for path in paths if path.suffix.lower() in SUFFIXES and not path.is_dir()]
    if not frames:
        raise UserError(f"{folder} holds no photographs to take for the frames of a film")
    return sorted(frames, key=_natural_order)


def _natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split("([0-9]+)", path.name.casefold())
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], path.name
