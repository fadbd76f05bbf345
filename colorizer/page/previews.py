"""Previews: photographs at the size of a screen, coloured at any strength at once. The newest are kept in memory."""

import io
import math
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorizer.core.errors import UserError, within_memory
from colorizer.core.files import explain_refusal
from colorizer.models.model import Model
from colorizer.page.coloring import SECONDS_KEPT, load_at_hand, network_size, read_upload, upload_size
from colorizer.page.palette import Palette
from colorizer.photographs.colorizing import Colorizer, Shape
from colorizer.photographs.hints import Hint
from colorizer.photographs.photographs import Photograph, thumbnail
from colorizer.pixels.colors import lightness_of
from colorizer.pixels.patches import patches
from colorizer.pixels.upsampling import GuidedUpsampling

SIDE = 1280  # pixels: the longer side of a preview
MOST_BYTES = 128 * 2**20  # of all previews in memory: 3 MB each
_QUALITY = 90  # of the JPEGs: a fifth of the bytes of a PNG, and a twentieth of its time

# Upload, name of the model, size, when the model was written, hints.
_Key = tuple[Path, str, int, int, tuple[Hint, ...]]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a network sees of a photograph, and predicts.

    size: height and width of the photograph. shape and network_input (H, W): as in `Colorizer`. guide: codes of L*
    (h, w), and ab: the prediction (h, w, 2), both of the `inner` shape.
    """

    size: tuple[int, int]
    shape: Shape
    network_input: NDArray[np.uint8]
    guide: NDArray[np.uint8]
    ab: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A photograph at the size of a screen, with the chroma that a model predicts, and the folder of its pictures.

    before: JPEG of the photograph as it is. caption: what the page says of it.
    """

    palette: Palette
    seen: Seen
    takes_hints: bool
    folder: Path
    before: Path
    caption: str

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

    def of(self, photograph: Path, model: str, size: int, hints: tuple[Hint, ...] = ()) -> Preview:
        """Return the preview of an upload with a model at hand; `size` and `hints` as in `color`.

        Another set of hints costs a prediction and a picture: the photograph is not read again. Raises UserError as
        `color` does.
        """
        key = photograph, model, size, _modified(model), hints
        return self._find(key) or self._maker.submit(self._find_or_make, key).result()

    def after(self, photograph: Path, model: str, size: int, strength: float, hints: tuple[Hint, ...] = ()) -> Path:
        """Return the picture `Preview.after` of the preview that `of` gives."""
        return self._drawer.submit(self.of(photograph, model, size, hints).after, strength).result()

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
        hints = key[-1]
        if hints:
            preview = self._hinted(self._find_or_make((*key[:4], ())), load_at_hand(key[1]), hints)
        else:
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
            seen = _see(decoded, (height, width), Colorizer(model=loaded, size=size))
            palette = _palette(lightness_of(np.asarray(before)), seen)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        caption = f"{photograph.name}: {width} x {height} px, model of epoch {loaded.info.epoch}, seen at {size} px"
        preview = Preview(
            palette=palette,
            seen=seen,
            takes_hints=loaded.info.takes_hints,
            folder=folder,
            before=folder / "before.jpg",
            caption=f"{caption}, {time.monotonic() - started:.1f} s",
        )
        _save(before, preview.before)
        return preview

    def _hinted(self, plain: Preview, model: Model, hints: tuple[Hint, ...]) -> Preview:
        """Make the preview with hints of the one without."""
        with within_memory("close other programs, give fewer hints, or let the network see a smaller photograph"):
            seen = _told(plain.seen, hints, model)
        palette = _palette(plain.palette.lightness.take(plain.palette.numbers), seen)
        return replace(plain, palette=palette, seen=seen, folder=Path(tempfile.mkdtemp(dir=self._folder)))


def _see(photograph: Photograph, size: tuple[int, int], colorizer: Colorizer) -> Seen:
    """Predict for a photograph of this height and width, decoded at whatever size."""
    network_input, shape = colorizer.network_input(photograph), colorizer.shape(*photograph.size)
    guide = colorizer.guide(photograph, network_input)
    [ab] = colorizer.predict(network_input[None])
    return Seen(size=size, shape=shape, network_input=network_input, guide=guide, ab=_inner(ab, shape))


def _told(seen: Seen, hints: tuple[Hint, ...], model: Model) -> Seen:
    """Predict once more, with hints."""
    colorizer = Colorizer(model=model, size=model.info.training_size)
    known = colorizer.known(hints, seen.size, seen.shape)
    [ab] = colorizer.predict(seen.network_input[None], None if known is None else known[None])
    return replace(seen, ab=_inner(ab, seen.shape))


def _inner(ab: NDArray[np.float32], shape: Shape) -> NDArray[np.float32]:
    return ab[: shape.inner[0], : shape.inner[1]]


def _palette(lightness: NDArray[np.float32], seen: Seen) -> Palette:
    """Enlarge the prediction to codes of L (H, W)."""
    upsampling = GuidedUpsampling.fit(seen.guide, seen.ab)
    height, width = lightness.shape
    large = np.empty((height, width, 2), np.float32)
    for rows, columns in patches(height, width):
        here = lightness[rows, columns]
        large[rows, columns] = upsampling.patch(here, rows.start, columns.start, (height, width))
    return Palette.of(lightness, large)


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
