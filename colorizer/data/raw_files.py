"""Finds the files of raw arrays, and says what is wrong with them before anything reads them."""

import os
import re
from pathlib import Path
from typing import Literal

from colorizer.core.errors import UserError

SMALLEST_SIDE = 4  # pixels: halved once, 2 are left for batch normalisation
LIGHTNESS_FILE = "l/gray_scale.npy"
CHROMA_PATTERN = re.compile(r"ab([0-9]+)\.npy")
_ALMOST = re.compile(r"ab\d+\.npy", re.IGNORECASE)  # in capitals, or with digits of other scripts


def find_chroma_files(root: Path) -> list[Path]:
    """List the abK.npy files under root/ab, or root/ab/ab as in the public archive, by their numbers.

    Raises UserError when there is none, when one is missing in the row (1, 2, 3, ... or 0, 1, 2, ...), when one cannot
    be read, and when a name is almost that of one.
    """
    found: dict[int, Path] = {}
    for path in [*root.glob("ab/*"), *root.glob("ab/ab/*")]:
        if match := CHROMA_PATTERN.fullmatch(path.name):
            number = int(match[1])
            if number in found:
                raise UserError(f"{path} and {found[number]} are both batch {number}: remove one of them")
            refuse_unreadable(path)
            found[number] = path
        elif _ALMOST.fullmatch(path.name):
            name = f"ab{int(path.stem[2:])}.npy"
            raise UserError(f"{path} is not called {name}: rename it, or remove it if it is no chroma batch")
    if found:
        numbers = sorted(found)
        if gap := next((number for number in range(1, numbers[-1]) if number not in found), None):
            names = ", ".join(found[number].name for number in numbers)
            raise UserError(
                f"{root / 'ab'} holds {names} but no ab{gap}.npy: put it there, or number the batches without a gap"
            )
        return [found[number] for number in numbers]
    raise UserError(
        f"{root / 'ab'} holds no ab1.npy: put the chroma batches ab1.npy, ab2.npy, ... there, "
        "or set data.root in params.yaml to the folder that holds l/ and ab/ (data/sample is the built-in sample)"
    )


def find_lightness_file(root: Path) -> Path:
    """Return the path root/l/gray_scale.npy; raises UserError when it is missing or cannot be read."""
    path = root / LIGHTNESS_FILE
    if not os.path.lexists(path):
        raise UserError(
            f"{path} is missing: put the greyscale images there, "
            "or set data.root in params.yaml to the folder that holds l/ and ab/ (data/sample is the built-in sample)"
        )
    refuse_unreadable(path)
    return path


def refuse_unreadable_folders(root: Path) -> None:
    """Raise UserError about `root`, and anything in root/l and root/ab, that is no readable file or folder.

    DVC reads all of it. It would stop there without a word about what to do, and wait at a pipe for ever.
    """
    for above in reversed(root.parents):
        if above.is_dir() and not os.access(above, os.X_OK):
            raise UserError(f"{above} cannot be entered (permission denied): change its permissions")
    if os.path.lexists(root):
        refuse_unreadable(root, "folder")
    for top in (root / "l", root / "ab"):
        pending, seen = [top] if os.path.lexists(top) else [], set()
        while pending:
            path = pending.pop()
            refuse_unreadable(path, "file or folder")
            _refuse_undecodable(path)
            if path.is_dir() and path.resolve() not in seen:
                seen.add(path.resolve())
                pending += sorted(path.iterdir(), reverse=True)


def refuse_unreadable(path: Path, needed: Literal["file", "folder", "file or folder"] = "file") -> None:
    """Raise UserError about a broken link, a pipe and the like, what is of the wrong kind, and a lack of rights."""
    is_file, is_folder = path.is_file(), path.is_dir()
    if path.is_symlink() and not path.exists():
        reason = f"it is a link to {path.readlink()}, which is not there"
    elif not (is_file or is_folder):
        reason = "it is neither a file nor a folder"
    elif is_folder and "folder" not in needed:
        reason = "it is a folder"
    elif is_file and "file" not in needed:
        reason = "it is a file"
    elif not os.access(path, os.R_OK | (os.X_OK if is_folder else 0)):
        reason = "permission denied"
    else:
        return
    raise UserError(f"{path} cannot be read ({reason}): put a readable {needed} in its place, or remove it")


def _refuse_undecodable(path: Path) -> None:
    """Raise UserError about a name with letters that the locale lacks, or whose bytes are no text."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the name of {path} is no text in this locale: rename it, or `export PYTHONUTF8=1`") from error
