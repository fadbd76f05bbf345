"""Hints of a photograph: colours that a person knows or wants at some places of it, as text and as a table.

As text a hint is `X,Y=#rrggbb`, in a table (CSV) a row of the columns x, y and colour.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.core.files import write_rows

COLUMNS = ("x", "y", "colour")
MOST_HINTS = 1_000  # of a photograph: a network's memory grows with their number times its pixels
_EXAMPLE = "`120,80=#3a6b35` for example"
_LONGEST_QUOTE = 40  # characters of what a message repeats


@dataclass(frozen=True)
class Hint:
    """A colour at a place: `x` from the left and `y` from the top, in pixels of the upright photograph, from 0.

    color: sRGB as `#rrggbb`. Its a* and b* are what counts; the lightness stays the photograph's.
    """

    x: int
    y: int
    color: str

    def __str__(self) -> str:
        return f"{self.x},{self.y}={self.color}"

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.color[1:])
        return red, green, blue


def parse_hint(text: str) -> Hint:
    """Read a hint of the form `X,Y=#rrggbb`. Raises UserError for another text."""
    place, equals, color = text.partition("=")
    x, comma, y = place.partition(",")
    if not (equals and comma):
        raise UserError(f"the hint {_quoted(text)} is none: write X,Y=#rrggbb, {_EXAMPLE}")
    try:
        return _hint(x, y, color)
    except UserError as error:
        raise UserError(f"the hint {_quoted(text)}: {error}") from None


def parse_hints(texts: str | Iterable[str]) -> list[Hint]:
    """Read hints from texts, or from one text with blanks, semicolons or line breaks between them.

    Raises UserError when one of them is none, and for more than MOST_HINTS.
    """
    if isinstance(texts, str):
        texts = filter(None, re.split(r"[\s;]+", texts))
    return _not_too_many([parse_hint(text) for text in texts])


def read_hints(path: Path) -> list[Hint]:
    """Read a table of hints: CSV in UTF-8, with a line that names the columns x, y and colour, in any order.

    Raises UserError, with the number of the line, for what cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or '').lower()}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: not UTF-8: save the table as CSV in UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return _not_too_many(_rows(reader, [name.strip().lower() for name in next(reader, [])]))
    except (UserError, csv.Error) as error:
        raise UserError(f"{path}, line {max(1, reader.line_num)}: {error}") from error


def write_hints(path: Path, hints: Sequence[Hint]) -> None:
    """Write a table of hints, as `read_hints` reads it. Raises UserError when that is refused."""
    write_rows(path, ({"x": hint.x, "y": hint.y, "colour": hint.color} for hint in hints), COLUMNS)


def refuse_outside(hints: Iterable[Hint], size: tuple[int, int]) -> None:
    """Raise UserError when a hint lies outside a photograph of this height and width."""
    height, width = size
    for hint in hints:
        if not (0 <= hint.x < width and 0 <= hint.y < height):
            raise UserError(
                f"the hint {hint} lies outside the picture, which has {width} x {height} px: x goes from 0 to "
                f"{width - 1}, y from 0 to {height - 1}"
            )


def _rows(reader: Iterable[list[str]], columns: list[str]) -> list[Hint]:
    if missing := [name for name in COLUMNS if name not in columns]:
        raise UserError(f"no column {missing[0]}: the first line has to be {','.join(COLUMNS)}")
    places = [columns.index(name) for name in COLUMNS]
    hints = []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(places):
            raise UserError(f"{len(row)} values, but {len(columns)} columns")
        hints.append(_hint(*(row[place] for place in places)))
    return hints


def _hint(x: str, y: str, color: str) -> Hint:
    for name, value in (("x", x), ("y", y)):
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,9}\s*", value):
            raise UserError(f"{name} is {_quoted(value)}: it has to be a whole number of pixels, from 0")
    if not re.fullmatch(r"\s*#[0-9a-fA-F]{6}\s*", color):
        raise UserError(f"the colour {_quoted(color)} is none: write #rrggbb, `#3a6b35` for example")
    return Hint(int(x), int(y), color.strip().lower())


def _not_too_many(hints: list[Hint]) -> list[Hint]:
    if len(hints) > MOST_HINTS:
        raise UserError(f"{len(hints)} hints: at most {MOST_HINTS:,}")
    return hints


def _quoted(text: str) -> str:
    return f"`{text if len(text) <= _LONGEST_QUOTE else f'{text[:_LONGEST_QUOTE]}...'}`"
