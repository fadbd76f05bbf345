"""Pictures for Prefect's pages."""

import base64
import io
from pathlib import Path

from PIL import Image

_LARGEST_SIDE = 1200  # pixels


def data_uri(path: Path) -> str:
    """An image file as a `data:` URI, which a page can show without asking any server for it."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"
