"""Draws sheets of photographs before and after colouring."""

import importlib.util
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from colorizer.core.files import save_image

_MARGIN = 6  # pixels
_LINE = 18  # height of a line of text
PAIR_TILE = 256  # pixels: the longer side of each half of a `Pair`
_PAIRS_ON_A_SHEET = 15


@dataclass(frozen=True)
class Pair:
    """Thumbnails of a photograph before and after colouring."""

    name: str
    before: Image.Image
    after: Image.Image


def before_after_sheet(pairs: Sequence[Pair]) -> Image.Image:
    """Draw a sheet of pairs of any sizes, each photograph beside its coloured one, three pairs in a row."""
    block_width = 2 * PAIR_TILE + 2 * _MARGIN
    rows = [pairs[start : start + 3] for start in range(0, len(pairs), 3)]
    heights = [max(pair.before.height for pair in row) for row in rows]
    height = sum(heights) + len(rows) * (_LINE + _MARGIN) + _MARGIN
    sheet = Image.new("RGB", (len(rows[0]) * block_width + _MARGIN, height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.truetype(_font_of_many_letters(), 12)
    top = _MARGIN
    for row, row_height in zip(rows, heights, strict=True):
        for column, pair in enumerate(row):
            left = _MARGIN + column * block_width
            sheet.paste(pair.before, (left, top))
            sheet.paste(pair.after, (left + pair.before.width, top))
            draw.text((left, top + row_height + 1), pair.name, "black", font)
        top += row_height + _LINE + _MARGIN
    return sheet


def _font_of_many_letters() -> Path:
    """Find matplotlib's DejaVu Sans without importing matplotlib (half a second): Pillow's own font has no accents."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    return Path(str(spec.origin)).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


class PairSheets:
    """Collects pairs and writes a sheet whenever it is full: `001.png`, `002.png`, ... in `folder`.

    Sheets that are there already stay; numbers go on after them. `count` is the number of sheets written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self._pairs: list[Pair] = []

    def add(self, pair: Pair) -> None:
        """Add a pair, and write the sheet if it is full now."""
        self._pairs.append(pair)
        if len(self._pairs) == _PAIRS_ON_A_SHEET:
            self.finish()

    def finish(self) -> None:
        """Write the sheet that is not full yet."""
        if self._pairs:
            names = (self.folder / f"{number:03}.png" for number in itertools.count(1))
            save_image(before_after_sheet(self._pairs), next(path for path in names if not path.exists()))
            self.count += 1
            self._pairs = []
