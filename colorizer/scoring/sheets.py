"""Draws sheets that show grey, generated and true colours beside each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from colorizer.core.lab import codes_to_rgb, grey_codes

_TILE = 128  # pixels: smaller images are enlarged to about this side
_MARGIN = 6
_LINE = 18  # height of a line of text


def comparison_sheet(
    truth: NDArray[np.uint8], chroma: NDArray[np.float32], *, captions: Sequence[str] | None = None
) -> Image.Image:
    """Draw a sheet of triples grey | generated | truth, three triples in a row.

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
