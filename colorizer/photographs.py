"""Reading and writing photographs: any JPEG, PNG, WebP or TIFF in, 8-bit pixels the right way up."""

import errno
import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps

from colorizer.errors import UserError
from colorizer.files import replacing

Format = Literal["png", "jpeg", "webp", "tiff"]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})  # what is looked for in folders
MAX_PIXELS = 100_000_000

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
_SUFFIX: dict[Format, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
_LARGEST_SIDE: dict[Format, int] = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383, "tiff": 2**31 - 1}
_SAVE_OPTIONS: dict[Format, dict[str, Any]] = {
    "png": {"compress_level": 4},  # 6, the default, takes three times as long for 6% less
    "jpeg": {"quality": 100, "subsampling": 0},  # 95 moves L by 1 code on average, this by 0.4
    "webp": {"lossless": True, "exact": True, "quality": 20},  # quality is effort here
    "tiff": {"compression": "tiff_deflate"},
}
# Of EXIF, what describes how the pixels of the file at hand are stored, and not the photograph.
_STORAGE_TAGS = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 284, 301, 317, 318, 319, 320}
    | {322, 323, 324, 325, 330, 332, 337, 338, 339, 340, 341, 347, 512, 513, 514, 529, 530, 531, 532, 34675}
)
# Whatever decoders raise on bytes that somebody damaged.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    ImageCms.PyCMSError,
)

_MACHINE_ERRORS = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # for which no file is to blame

Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is checked here, before any pixel is decoded
warnings.filterwarnings("ignore", module="PIL")  # of damaged EXIF and the like


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A decoded photograph, the right way up.

    pixels: sRGB uint8, (H, W) if it has no colours, else (H, W, 3). alpha: (H, W) uint8 or None. exif and icc_profile
    are bytes to hand on; an ICC profile is that of the pixels, which are taken for sRGB all the same.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    exif: bytes | None
    icc_profile: bytes | None
    dpi: tuple[float, float] | None

    @property
    def size(self) -> tuple[int, int]:
        """Height, width."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8."""
        return self.pixels if self.pixels.ndim == 3 else np.repeat(self.pixels[..., None], 3, axis=-1)

    def with_pixels(self, pixels: NDArray[np.uint8]) -> "Photograph":
        """The same photograph in other colours."""
        return replace(self, pixels=pixels)


def find_photographs(given: Path) -> list[tuple[Path, Path]]:
    """The file given, or those in the folder given and below whose names end like a photograph's, sorted.

    Each with its path relative to the folder (or its own name), for naming what is made of it. Names that begin with a
    dot are left out. Raises UserError when there is nothing of that name, or no photograph in the folder.
    """
    if not given.exists():
        raise UserError(f"{given} does not exist")
    if not given.is_dir():
        return [(given, Path(given.name))]
    inside = sorted(path for path in given.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    relative = [path.relative_to(given) for path in inside]
    found = [path for path in relative if not any(part.startswith(".") for part in path.parts)]
    if not found:
        raise UserError(f"{given} holds no photographs: expected files named *{', *'.join(sorted(SUFFIXES))}")
    return [(given / path, path) for path in found]


def read_size(path: Path) -> tuple[int, int]:
    """Height and width as the photograph is looked at, from its header. Raises UserError as `read_photograph` does."""
    with _decoding(path), _open(path) as image:
        width, height = image.size
        lies = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        turned = lies and image.format != "TIFF"  # of which Pillow gives the size the right way up
        return (width, height) if turned else (height, width)


def read_photograph(path: Path, *, at_least: int | None = None) -> Photograph:
    """Decode a photograph; of several pages or frames the first.

    With `at_least`, a JPEG may come smaller, but with sides of at least that many pixels, for a fraction of the time.
    A profile of greys or inks cannot stay with colours: such pixels are converted to sRGB. 16 bits become 8. Raises
    UserError when the file is missing, damaged, not a JPEG, PNG, WebP or TIFF, or has more than MAX_PIXELS pixels.
    """
    with _decoding(path), _open(path) as image:
        dpi = image.info.get("dpi")
        if at_least:
            image.draft(None, (at_least, at_least))
        image.load()
        icc_profile = image.info.get("icc_profile")
        if image.mode in ("I", "F"):
            raise UserError(f"{path} has pixels of 32 bits: save it with 8 or 16 bits a channel")
        ImageOps.exif_transpose(image, in_place=True)
        pixels, alpha, keeps_profile = _pixels(image, icc_profile)
        return Photograph(
            pixels=pixels,
            alpha=alpha,
            exif=_exif(image),
            icc_profile=icc_profile if keeps_profile else None,
            dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 1 else None,  # 1 stands for unknown
        )


def thumbnail(photograph: Photograph, side: int) -> Image.Image:
    """Small enough that no side is longer than `side` pixels, RGB; a smaller photograph stays as it is."""
    height, width = photograph.size
    scale = min(1, side / max(height, width))
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(photograph.pixels, shape, interpolation=cv2.INTER_AREA)
    return Image.fromarray(np.asarray(small, np.uint8)).convert("RGB")


def named(path: Path, file_format: Format) -> Path:
    """The path with the suffix of the format."""
    return path.with_suffix(_SUFFIX[file_format])


def write_photograph(path: Path, photograph: Photograph, file_format: Format) -> None:
    """Write it with what came along: alpha, EXIF, ICC profile, resolution. `path` appears only when whole.

    Everything but JPEG is lossless; JPEG has quality 100 and full chroma resolution. Raises UserError when the format
    cannot hold it, or the disk is full.
    """
    if max(photograph.size) > _LARGEST_SIDE[file_format]:
        raise UserError(f"{path}: {file_format} holds at most {_LARGEST_SIDE[file_format]} px a side: use png")
    if photograph.alpha is None:
        image = Image.fromarray(photograph.rgb)
    elif file_format == "jpeg":
        raise UserError(f"{path}: JPEG cannot hold the photograph's transparency: use png")
    else:
        image = Image.fromarray(np.dstack([photograph.rgb, photograph.alpha]))
    along: dict[str, Any] = {
        "exif": photograph.exif,
        "icc_profile": photograph.icc_profile,
        "dpi": photograph.dpi if file_format != "webp" else None,
    }
    with replacing(path) as partial:
        image.save(
            partial,
            file_format.upper(),
            **_SAVE_OPTIONS[file_format],
            **{name: value for name, value in along.items() if value},
        )


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn what decoders raise on a damaged file into one UserError."""
    try:
        yield
    except UserError:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or '').lower()}") from error
    except _DECODER_ERRORS as error:
        if isinstance(error, OSError) and error.errno in _MACHINE_ERRORS:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is damaged: {reason[:120]}") from error


def _open(path: Path) -> Image.Image:
    try:
        image = Image.open(path, formats=_FORMATS)
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{path} is not a JPEG, PNG, WebP or TIFF photograph, or its beginning is damaged") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise UserError(f"{path} claims {width} x {height} pixels: at most {MAX_PIXELS // 1_000_000} megapixels")
    if width * height == 0:
        image.close()
        raise UserError(f"{path} is damaged: it claims {width} x {height} pixels")
    return image


def _exif(image: Image.Image) -> bytes | None:
    """EXIF without the orientation, as pixels are turned, and without how they were stored."""
    try:
        exif = image.getexif()
        for tag in _STORAGE_TAGS & exif.keys():
            del exif[tag]
        return exif.tobytes() if exif else None
    except _DECODER_ERRORS:
        return None  # a photograph is not lost with its damaged EXIF


def _pixels(image: Image.Image, icc_profile: bytes | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, bool]:
    """Pixels (H, W) or (H, W, 3), alpha, and whether the ICC profile still is that of the pixels."""
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = image.convert(image.mode[:-1])
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "RGBX", "YCbCr"):
        image = image.convert("RGB")
    if image.mode == "RGB":
        return np.asarray(image), alpha, (icc_profile or b"")[16:20] == b"RGB "
    has_own_profile = (icc_profile or b"")[16:20] == {"L": b"GRAY", "CMYK": b"CMYK"}.get(image.mode)
    if image.mode == "LAB" or has_own_profile:
        image = _to_srgb(image, icc_profile if has_own_profile else None)
    if image.mode == "L":
        return np.asarray(image), alpha, False
    return np.asarray(image.convert("RGB")), alpha, False


def _to_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """Grey stays grey; inks and Lab become RGB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)) if icc_profile else ImageCms.createProfile("LAB")
        turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:
        return image  # a damaged profile: the pixels as they are
    assert turned is not None
    return turned.getchannel("G") if image.mode == "L" else turned
