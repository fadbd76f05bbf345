"""Finds and names files of photographs: no package is imported, so that `--help` comes at once."""

import os
from pathlib import Path
from typing import Literal

from colorizer.core.errors import UserError

Format = Literal["png", "jpeg", "webp", "tiff"]

# fmt: off
RAW_SUFFIXES = frozenset({
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef",
    ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
})
# fmt: on
# What is looked for in folders, besides camera RAW.
_SUFFIXES = [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"]
SUFFIXES = RAW_SUFFIXES.union(_SUFFIXES)
_SUFFIX: dict[Format, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}


def find_photographs(given: Path) -> list[tuple[Path, Path]]:
    """List the photographs in a folder and below, sorted, each with its path relative to the folder.

    A file that is given stands for itself, with its own name. In folders, files are known by their suffixes, and names
    that begin with a dot are left out. Linked folders count, but for a link back to a folder that it lies in. Raises
    UserError when there is nothing of that name, no photograph in the folder, or a folder in it that cannot be read.
    """
    if not given.exists():
        raise UserError(f"{given} does not exist")
    if not given.is_dir():
        return [(given, Path(given.name))]
    found = []
    for folder, folders, names in os.walk(given, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in folders if not (name.startswith(".") or _leads_back(Path(folder, name)))]
        paths = [Path(folder, name) for name in names if not name.startswith(".")]
        # Links to nowhere, pipes and the like count: whoever reads them tells.
        found += [path for path in paths if path.suffix.lower() in SUFFIXES]
    if not found:
        expected = ", *".join(sorted(_SUFFIXES))
        raise UserError(f"{given} holds no photographs: expected files named *{expected}, or camera RAW")
    return [(path, path.relative_to(given)) for path in sorted(found)]


def _leads_back(folder: Path) -> bool:
    """Whether this is a link to a folder that it lies in: following it would never end."""
    return folder.is_symlink() and any(above.resolve().is_relative_to(folder.resolve()) for above in folder.parents)


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {(error.strerror or '').lower()}") from error


def named(path: Path, file_format: Format) -> Path:
    """Give a path the suffix of the format."""
    return path.with_suffix(_SUFFIX[file_format])
