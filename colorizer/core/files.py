"""Write files atomically: a reader finds the old version or the new one, never half of one."""

import csv
import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.core.digests import fingerprint
from colorizer.core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd  # a quarter of a second to import
    from numpy.typing import NDArray
    from PIL import Image

_ROWS_AT_ONCE = 10_000
_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change its permissions or those of its folder"),
    errno.EROFS: "take a disk that can be written to",
}
_LONGEST_STEM = 100  # bytes: file systems allow names of 143 to 255 bytes, and temporary names are longer


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Replace a file atomically: yields a temporary path, which takes the place of `path` at the end of the block.

    After an error in the block `path` is as it was. It may be a hard link into DVC's cache, and is never written to.
    Missing folders are made. Raises UserError when the disk, a quota or a limit is full, and when writing is not
    permitted.
    """
    stem = path.stem if len(os.fsencode(path.stem)) <= _LONGEST_STEM else fingerprint({"name": path.name})
    partial = path.with_name(f".{stem}.partial{path.suffix:.16}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        if reason := refusal(error):
            refused = path if error.filename in (None, str(partial)) else error.filename
            raise UserError(f"{refused}: {reason}, nothing was overwritten") from error
        raise
    finally:
        with suppress(OSError):  # where nothing can be written, nothing is there
            partial.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Make a renaming outlast a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def refusal(error: OSError) -> str:
    """Say why the system let nothing be written or read, and what to do; empty if the error has another cause."""
    if error.errno not in _ADVICE:
        return ""
    return f"{os.strerror(error.errno).lower()}; {_ADVICE[error.errno]} and run again"


def explain_refusal(error: OSError) -> str:
    """Say in one line what the system refused to write or read, and why; empty if the error has another cause."""
    reason = refusal(error)
    return f"{error.filename or 'writing'}: {reason}" if reason else ""


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_csv(path: Path, frame: "pd.DataFrame") -> None:
    """Write a table as CSV, without its index, atomically."""
    with atomic_write(path) as partial:
        frame.to_csv(partial, index=False, lineterminator="\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Write rows as CSV atomically, as `write_csv` does. What a row lacks, and NaN, is left empty."""
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            values = [row.get(name) for name in columns]
            writer.writerow(["" if value != value else value for value in values])


def save_image(image: "Image.Image", path: Path) -> None:
    """Write an image atomically, in the format of the suffix."""
    with atomic_write(path) as partial:
        image.save(partial)


def write_columns(path: Path, columns: "Mapping[str, NDArray]") -> None:
    """Write columns (N,) as CSV atomically, as `write_csv` does, without holding the text of all rows in memory.

    Bytes are written as ASCII, masked entries are left empty.
    """
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for start in range(0, len(next(iter(columns.values()))), _ROWS_AT_ONCE):
            block = [column[start : start + _ROWS_AT_ONCE] for column in columns.values()]
            texts = [part.astype(str) if part.dtype.kind == "S" else part for part in block]
            writer.writerows(zip(*(part.tolist() for part in texts), strict=True))
