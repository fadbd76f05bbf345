"""Develops camera RAW files with LibRaw, where the optional package rawpy is installed."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from colorizer.core.errors import UserError

_SRGB_CURVE = (2.4, 12.92)  # exponent and slope near black
# Of EXIF, what tells of the photograph. The other tags of a RAW file are on its sensor.
_KEPT_TAGS = frozenset(
    ExifTags.Base[name] for name in ("ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "Copyright")
)
_KEPT_PARTS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_MAKER_NOTE = ExifTags.Base.MakerNote  # with places in the old file, which mean nothing in another

_decoding = Lock()


def read_raw_size(path: Path) -> tuple[int, int]:
    """Read height and width, upright, from the header. Raises UserError as `develop` does, but for damaged pixels."""
    with _open(path) as raw:
        sizes = raw.sizes
        swapped = sizes.flip & 4  # turned by 90 or 270 degrees
        return (sizes.iwidth, sizes.iheight) if swapped else (sizes.iheight, sizes.iwidth)


def develop(path: Path, *, bits: int, half_size: bool) -> NDArray[Any]:
    """Decode a RAW file to upright sRGB pixels: (H, W, 3), or (H, W) of a sensor without colours.

    The white balance is the camera's, and the brightness LibRaw's choice: 1% of the pixels become white. bits: 8 or 16,
    for uint8 or uint16. half_size: half as high and wide, without interpolation. One file is decoded at a time, with
    all cores: that takes 16 bytes a pixel. Raises UserError when rawpy is not installed or the file not of a known
    kind, OSError when it is damaged, MemoryError.
    """
    with _open(path) as raw:
        pixels = raw.postprocess(
            use_camera_wb=True, gamma=_SRGB_CURVE, output_bps=bits, half_size=half_size, output_color=_srgb()
        )
    return np.asarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def raw_exif(path: Path) -> Image.Exif:
    """Read what EXIF tells of the photograph; empty where the file does not begin like a TIFF, as CR3 and RAF do not.

    Raises what Pillow raises on damaged EXIF.
    """
    kept = Image.Exif()
    with path.open("rb") as file:
        if file.read(4) not in (b"II*\0", b"MM\0*"):
            return kept
        file.seek(0)
        exif = Image.Exif()
        exif.load_from_fp(file)
        for tag in _KEPT_TAGS & exif.keys():
            kept[tag] = exif[tag]
        for part in _KEPT_PARTS:
            if values := exif.get_ifd(part):
                kept.get_ifd(part).update({tag: value for tag, value in values.items() if tag != _MAKER_NOTE})
    return kept


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open a file with rawpy; turn its errors into Python's."""
    rawpy = _rawpy(path)
    with path.open("rb") as file, _decoding, _without_lines_on(path):
        try:
            name = os.fspath(path)
            with rawpy.imread(name if _is_text(name) else file) as raw:
                yield raw
        except rawpy.LibRawUnsufficientMemoryError as error:
            raise MemoryError from error
        except rawpy.LibRawFileUnsupportedError as error:
            raise UserError(f"{path} is not a camera RAW file of a known kind, or its beginning is damaged") from error
        except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
            told = error.args[0] if error.args else "LibRaw cannot read it"
            raise OSError(told.decode() if isinstance(told, bytes) else str(told)) from error


def _rawpy(path: Path) -> Any:
    try:
        import rawpy
    except ImportError:
        raise UserError(
            f"{path} cannot be read: camera RAW needs rawpy: pip install -r requirements-raw.txt -c constraints.txt"
        ) from None
    return rawpy


def _srgb() -> Any:
    import rawpy

    return rawpy.ColorSpace.sRGB


def _is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8, as rawpy needs it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _without_lines_on(path: Path) -> Iterator[None]:
    """Leave out what LibRaw writes to standard error about the file: that is told in the error.

    What others write meanwhile follows at the end.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            others = [line for line in written if not line.startswith((os.fsencode(path), b"unknown file: "))]
            os.write(2, b"".join(others))
