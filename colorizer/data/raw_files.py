"""Finds the files of raw arrays, and says what is wrong with them before anything reads them."""

import os
import re
from pathlib import Path

from colorizer.core.errors import UserError

LIGHTNESS_FILE = "l/gray_scale.npy"
CHROMA_PATTERN = re.compile(r"ab(\d+)\.npy")


def find_chroma_files(root: Path) -> list[Path]:
    """List the abK.npy files under root/ab, or root/ab/ab as in the public archive, by their numbers.

    Raises UserError when there is none, when one is missing in the row (1, 2, 3, ... or 0, 1, 2, ...), and when one
    cannot be read.
    """
    found: dict[int, Path] = {}
    for path in [*root.glob("ab/*.npy"), *root.glob("ab/ab/*.npy")]:
        if match := CHROMA_PATTERN.fullmatch(path.name):
            number = int(match[1])
            if number in found:
                raise UserError(f"{path} and {found[number]} are both batch {number}: remove one of them")
            refuse_unreadable(path, folder_too=False)
            found[number] = path
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
    refuse_unreadable(path, folder_too=False)
    return path


def refuse_unreadable_folders(root: Path) -> None:
    """Raise UserError about anything in root/l and root/ab that is no readable file or folder, whatever its name.

    DVC reads all of it. It would stop there without a word about what to do, and wait at a pipe for ever.
    """
    for top in (root / "l", root / "ab"):
        pending, seen = [top] if os.path.lexists(top) else [], set()
        while pending:
            path = pending.pop()
            refuse_unreadable(path)
            if path.is_dir() and path.resolve() not in seen:
                seen.add(path.resolve())
                pending += sorted(path.iterdir(), reverse=True)


def refuse_unreadable(path: Path, *, folder_too: bool = True) -> None:
    """Raise UserError about a broken link, a pipe and the like, a folder if a file is needed, and a lack of rights."""
    if path.is_symlink() and not path.exists():
        reason = f"it is a link to {path.readlink()}, which is not there"
    elif not (path.is_file() or path.is_dir()):
        reason = "it is neither a file nor a folder"
    elif path.is_dir() and not folder_too:
        reason = "it is a folder"
    elif not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        reason = "permission denied"
    else:
        return
    raise UserError(f"{path} cannot be read ({reason}): put a readable file in its place, or remove it")
