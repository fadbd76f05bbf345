"""Writing files so that a reader finds the old version or the new one, never half of one."""

import csv
import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd  # a quarter of a second to import
    from numpy.typing import NDArray
    from PIL import Image

_ROWS_AT_ONCE = 10_000


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, which replaces `path` when the block ends without an error.

    `path` may be a hard link into DVC's cache: it is never written to, only replaced. Missing folders are made.
    Raises UserError when the disk, a quota or a limit is full; `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        if reason := out_of_room(error):
            raise UserError(f"{path}: {reason}; make room and run again, nothing was overwritten") from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Make a renaming outlast a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def out_of_room(error: OSError) -> str:
    """What is full, if a disk, a quota or a limit is why writing failed; else nothing."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return os.strerror(error.errno).lower() if error.errno in full else ""


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, replacing `path` at once."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_csv(path: Path, frame: "pd.DataFrame") -> None:
    """Write a table without its index, replacing `path` at once."""
    with atomic_write(path) as partial:
        frame.to_csv(partial, index=False, lineterminator="\n")


def save_image(image: "Image.Image", path: Path) -> None:
    """Write a PNG."""
    with atomic_write(path) as partial:
        image.save(partial)


def write_columns(path: Path, columns: "Mapping[str, NDArray]") -> None:
    """Write the table that `write_csv` would, few rows at a time: bytes as ASCII, masked entries empty."""
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for start in range(0, len(next(iter(columns.values()))), _ROWS_AT_ONCE):
            block = [column[start : start + _ROWS_AT_ONCE] for column in columns.values()]
            texts = [part.astype(str) if part.dtype.kind == "S" else part for part in block]
            writer.writerows(zip(*(part.tolist() for part in texts), strict=True))
