"""Sheets of photographs for people to look at."""

import importlib.util
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from colorizer.files import replacing
from colorizer.lab import NEUTRAL, codes_to_rgb

_TILE = 128  # pixels: smaller images are enlarged to about this side
_MARGIN = 6
_LINE = 18  # height of a line of text

PAIR_TILE = 256  # pixels: the longer side of each half of a `Pair`
_PAIRS_ON_A_SHEET = 15


@dataclass(frozen=True)
class Pair:
    """A photograph before and after, made small for a sheet."""

    name: str
    before: Image.Image
    after: Image.Image


def grey_codes(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same lightness without colour: codes (..., 3) with A and B neutral."""
    grey = codes.copy()
    grey[..., 1:] = NEUTRAL
    return grey


def comparison_sheet(
    truth: NDArray[np.uint8], chroma: NDArray[np.float32], *, captions: Sequence[str] | None = None
) -> Image.Image:
    """Triples grey | generated | truth, three beside each other.

    truth: codes (n, H, W, 3) uint8, chroma: generated A, B codes (n, H, W, 2) float32, a caption for each image.
    """
    n, height, width = truth.shape[:3]
    generated = np.concatenate([truth[..., :1].astype(np.float32), chroma], axis=-1)
    scale = max(1, round(_TILE / max(height, width)))
    tile_height, tile_width = height * scale, width * scale
    block_width, block_height = 3 * tile_width + 3 * _MARGIN, tile_height + _MARGIN + (_LINE if captions else 0)
    columns = min(3, n)
    rows = -(-n // columns)
    sheet = Image.new("RGB", (columns * block_width + _MARGIN, _LINE + rows * block_height + _MARGIN), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for column in range(columns):
        for position, title in enumerate(("grey", "generated", "truth")):
            draw.text((_MARGIN + column * block_width + position * tile_width, 2), title, "black", font)
    for index in range(n):
        left, top = _MARGIN + index % columns * block_width, _LINE + index // columns * block_height
        for position, codes in enumerate((grey_codes(truth[index]), generated[index], truth[index])):
            tile = Image.fromarray(codes_to_rgb(codes))
            if scale > 1:
                tile = tile.resize((tile_width, tile_height), Image.Resampling.BICUBIC)
            sheet.paste(tile, (left + position * tile_width, top))
        if captions:
            draw.text((left, top + tile_height + 1), captions[index], "black", font)
    return sheet


def before_after_sheet(pairs: Sequence[Pair]) -> Image.Image:
    """Photographs of any sizes beside what was made of them, three pairs beside each other."""
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
    """Pillow's own knows no accents. Importing matplotlib, in which this one lies, takes half a second."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    return Path(str(spec.origin)).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


class PairSheets:
    """Writes sheets of pairs, `001.png`, `002.png`, ..., into a folder as they come, after those that are there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self._pairs: list[Pair] = []

    def add(self, pair: Pair) -> None:
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


def save_image(image: Image.Image, path: Path) -> None:
    """Write a PNG."""
    with replacing(path) as partial:
        image.save(partial)
