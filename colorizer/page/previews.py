"""Previews: photographs at the size of a screen, coloured at any strength at once. The newest are kept in memory."""

import io
import math
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorizer.core.errors import UserError, within_memory
from colorizer.core.files import explain_refusal
from colorizer.models.model import Model
from colorizer.page.coloring import SECONDS_KEPT, load_at_hand, network_size, read_upload, upload_size
from colorizer.page.palette import Palette
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.photographs import Photograph, thumbnail
from colorizer.pixels.colors import lightness_of
from colorizer.pixels.patches import patches

SIDE = 1280  # pixels: the longer side of a preview
MOST_BYTES = 128 * 2**20  # of all previews in memory: 3 MB each
_QUALITY = 90  # of the JPEGs: a fifth of the bytes of a PNG, and a twentieth of its time

_Key = tuple[Path, str, int, int]  # upload, name of the model, size, when the model was written


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A photograph at the size of a screen, with the chroma that a model predicts, and the folder of its pictures.

    caption: what the page says of it.
    """

    palette: Palette
    folder: Path
    caption: str

    @property
    def before(self) -> Path:
        """JPEG of the photograph as it is."""
        return self.folder / "before.jpg"

    def after(self, strength: float) -> Path:
        """JPEG of the coloured photograph; drawn if there is none yet. `strength` is rounded to 0.01."""
        strength = round(strength, 2)
        path = self.folder / f"after-{strength:g}.jpg"
        if not path.exists():
            _save(self.palette.picture(strength), path)
        return path


class Previews:
    """Makes previews, one at a time, and keeps those used last: MOST_BYTES of them, for an hour at most.

    What is no longer kept is made again when it is asked for. `folder` is where the pictures go, each preview's into a
    folder of its own. All methods may be called by several threads; one thread makes and another one draws, because
    each that ever did would keep freed memory, and PyTorch's threads, of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[_Key, tuple[float, Preview]] = {}  # with the time of its last use; the newest at the end
        self._maker, self._drawer = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._access = threading.Lock()

    def of(self, photograph: Path, model: str, size: int) -> Preview:
        """Return the preview of an upload with a model at hand; `size` as in `color`. Raises UserError as that does."""
        key = photograph, model, size, _modified(model)
        return self._find(key) or self._maker.submit(self._find_or_make, key).result()

    def after(self, photograph: Path, model: str, size: int, strength: float) -> Path:
        """Return the picture `Preview.after` of the preview that `of` gives."""
        return self._drawer.submit(self.of(photograph, model, size).after, strength).result()

    def remove_old(self) -> None:
        """Forget what was not used for an hour."""
        with self._access:
            recently = time.monotonic() - SECONDS_KEPT
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > recently}

    def _find(self, key: _Key) -> Preview | None:
        with self._access:
            _, preview = self._kept.pop(key, (0, None))
            if preview is None or not preview.before.exists():  # its folder was removed with other old results
                return None
            self._kept[key] = time.monotonic(), preview
            return preview

    def _find_or_make(self, key: _Key) -> Preview:
        if kept := self._find(key):  # another visitor had asked for it
            return kept
        preview = self._make(*key[:3])
        with self._access:
            self._kept[key] = time.monotonic(), preview
            while len(self._kept) > 1 and sum(kept.palette.num_bytes for _, kept in self._kept.values()) > MOST_BYTES:
                del self._kept[next(iter(self._kept))]
        return preview

    def _make(self, photograph: Path, model: str, size: int) -> Preview:
        started = time.monotonic()
        loaded = load_at_hand(model)
        size = network_size(loaded, size)
        height, width = upload_size(photograph)
        shorter = math.ceil(SIDE * min(height, width) / max(height, width))
        with within_memory("close other programs, or take a smaller photograph", photograph):
            decoded = read_upload(photograph, at_least=max(shorter, size))
            if math.prod(decoded.size) >= height * width:  # else the header knows the size
                height, width = decoded.size
            before = thumbnail(decoded, SIDE)
            palette = Palette.of(*_lightness_and_chroma(np.asarray(before), decoded, loaded, size))
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        caption = f"{photograph.name}: {width} x {height} px, model of epoch {loaded.info.epoch}, seen at {size} px"
        preview = Preview(palette=palette, folder=folder, caption=f"{caption}, {time.monotonic() - started:.1f} s")
        _save(before, preview.before)
        return preview


def _lightness_and_chroma(
    pixels: NDArray[np.uint8], photograph: Photograph, model: Model, size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Codes of L (H, W) and predicted a*, b* (H, W, 2) of sRGB pixels (H, W, 3), `photograph` at another size."""
    colorizer = Colorizer(model=model, size=size)
    network_input = colorizer.network_input(photograph)
    [ab] = colorizer.predict(network_input[None])
    upsampling = colorizer.upsampling(photograph, network_input, ab)
    lightness = lightness_of(pixels)
    height, width = lightness.shape
    large = np.empty((height, width, 2), np.float32)
    for rows, columns in patches(height, width):
        here = lightness[rows, columns]
        large[rows, columns] = upsampling.patch(here, rows.start, columns.start, (height, width))
    return lightness, large


def _modified(model: str) -> int:
    """When the file of a model was written last, in ns; 0 for a registered one, whose file stays."""
    path = Path(model)
    return path.stat().st_mtime_ns if path.exists() else 0


def _save(image: Image.Image, path: Path) -> None:
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=_QUALITY, subsampling=0)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded.getbuffer())
    except OSError as error:
        path.unlink(missing_ok=True)
        if reason := explain_refusal(error):
            raise UserError(reason) from error
        raise
