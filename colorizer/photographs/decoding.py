"""Decodes photographs of many kinds to upright 8-bit sRGB pixels; whatever goes wrong is one UserError."""

import errno
import io
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from colorizer.core.errors import UserError
from colorizer.photographs.photographs import Photograph

MAX_PIXELS = 100_000_000
MAX_PROFILE_BYTES = 64 * 2**20  # of a colour profile, and of the texts of a PNG; Pillow's own limit is 1 MB

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
_PHOTOMETRIC, _WHITE_IS_ZERO = TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 0
_SIGNED = 2  # SampleFormat
# Of EXIF, what describes how the pixels of the file at hand are stored, and not the photograph.
# fmt: off
_STORAGE_TAGS = frozenset(ExifTags.Base[name] for name in (
    "NewSubfileType", "SubfileType", "ImageWidth", "ImageLength", "BitsPerSample", "Compression",
    "PhotometricInterpretation", "FillOrder", "StripOffsets", "Orientation", "SamplesPerPixel", "RowsPerStrip",
    "StripByteCounts", "MinSampleValue", "MaxSampleValue", "PlanarConfiguration", "TransferFunction", "Predictor",
    "WhitePoint", "PrimaryChromaticities", "ColorMap", "TileWidth", "TileLength", "TileOffsets", "TileByteCounts",
    "SubIFDs", "InkSet", "TargetPrinter", "ExtraSamples", "SampleFormat", "SMinSampleValue", "SMaxSampleValue",
    "JPEGTables", "JPEGProc", "JpegIFOffset", "JpegIFByteCount", "YCbCrCoefficients", "YCbCrSubSampling",
    "YCbCrPositioning", "ReferenceBlackWhite", "InterColorProfile",
))
# fmt: on
# What Pillow raises on damaged bytes: OSError and EOFError for pixels, SyntaxError for PNG chunks and TIFF headers,
# ValueError for sizes, TypeError and struct.error for EXIF values of another type than their tag's.
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
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_PROFILE_BYTES
warnings.filterwarnings("ignore", module="PIL")  # of damaged EXIF and the like


def read_size(path: Path) -> tuple[int, int]:
    """Read height and width from the header, without decoding pixels.

    They may be swapped for the few kinds of files whose orientation is not in the header. Raises UserError as
    `read_photograph` does.
    """
    with _decoding(path), _open(path) as image:
        width, height = image.size
        # Pillow gives the size of a TIFF the right way up, and decodes a whole PNG to find its orientation.
        lies = False
        if image.format in ("JPEG", "MPO", "WEBP"):
            with suppress(*_DECODER_ERRORS):  # damaged EXIF
                lies = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        return (width, height) if lies else (height, width)


def read_photograph(path: Path, *, at_least: int | None = None) -> Photograph:
    """Decode a photograph; of several pages or frames the first.

    With `at_least`, a JPEG may come smaller, but with sides of at least that many pixels, for a fraction of the time.
    Pixels with a grey or CMYK profile are converted to sRGB, because the profile would not fit a coloured picture. 16
    bits become 8. A profile of more than MAX_PROFILE_BYTES is left out. Raises UserError when the file is missing,
    damaged, not a JPEG, PNG, WebP or TIFF, of a kind whose pixels Pillow would get wrong, or has more than MAX_PIXELS
    pixels.
    """
    with _decoding(path), _open(path) as image:
        if at_least:
            image.draft(None, (at_least, at_least))
        is_wide = isinstance(image, PngImagePlugin.PngImageFile) and image.tile[0].args == "RGB;16B"
        image.load()
        if is_wide and image.info.pop("transparency", None):
            image.putalpha(Image.fromarray(_wide_alpha(path)))
        icc_profile = image.info.get("icc_profile")
        if len(icc_profile or b"") > MAX_PROFILE_BYTES:
            icc_profile = None
        with suppress(*_DECODER_ERRORS):  # damaged EXIF
            ImageOps.exif_transpose(image, in_place=True)
        pixels, alpha, keeps_profile = _pixels(image, icc_profile)
        return Photograph(
            pixels=pixels,
            alpha=alpha,
            exif=_exif(image),
            icc_profile=icc_profile if keeps_profile else None,
            dpi=_dpi(image),
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
        if "MAX_TEXT_" in str(error):
            megabytes = MAX_PROFILE_BYTES // 2**20
            raise UserError(
                f"{path} holds texts or a colour profile of more than {megabytes} MB: save it without"
            ) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is damaged: {reason[:120]}") from error


def _open(path: Path) -> Image.Image:
    try:
        image = Image.open(path, formats=_FORMATS)
    except Image.UnidentifiedImageError as error:
        raise UserError(
            f"{path} is not a JPEG, PNG, WebP or TIFF photograph of a known kind, or its beginning is damaged"
        ) from error
    if reason := _refusal(image):
        image.close()
        raise UserError(f"{path} {reason}")
    return image


def _refusal(image: Image.Image) -> str:
    """Say why an image is refused before decoding; empty if it is accepted."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"claims {width} x {height} pixels: at most {MAX_PIXELS // 1_000_000} megapixels"
    if width * height == 0:
        return f"is damaged: it claims {width} x {height} pixels"
    wrong = _wrong_pixels(image)
    return f"has {wrong}: save it with 8 or 16 bits a channel, unsigned and interleaved" if wrong else ""


def _wrong_pixels(image: Image.Image) -> str:
    """Name the kind of pixels that Pillow would silently decode wrongly; empty if there is none."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = set(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        if image.mode in ("I", "F"):
            is_signed = image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0] == _SIGNED
            return f"{'signed ' if is_signed else ''}pixels of {max(bits)} bits"
        if max(bits) > 8 and bits != {16}:
            return f"channels of {max(bits)} bits"
        if bits == {16} and image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 2 and image.mode == "RGB":
            return "a plane of 16 bits for each channel"
    return ""


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """Pixels per inch; None also where it is nonsense, or the 1 that stands for unknown."""
    dpi = image.info.get("dpi")
    if not dpi or not all(math.isfinite(value) and 1 < value < 2**16 for value in dpi):
        return None
    return float(dpi[0]), float(dpi[1])


def _exif(image: Image.Image) -> bytes | None:
    """EXIF without the orientation, as pixels are turned, and without how they were stored."""
    try:
        exif = image.getexif()
        exif.bigtiff = False  # Pillow writes EXIF of that kind so that it cannot read it
        for tag in _STORAGE_TAGS & exif.keys():
            del exif[tag]
        return exif.tobytes() if exif else None
    except _DECODER_ERRORS:
        return None  # a photograph is not lost with its damaged EXIF


def _wide_alpha(path: Path) -> NDArray[np.uint8]:
    """Alpha (H, W) of a PNG of 16 bits with a transparent colour. Pillow would look for it among the upper 8 bits."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise OSError("its transparency cannot be read")
    return np.asarray(pixels[..., 3] == 65535, np.uint8) * np.uint8(255)


def _pixels(image: Image.Image, icc_profile: bytes | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, bool]:
    """Pixels (H, W) or (H, W, 3), alpha, and whether the ICC profile still is that of the pixels."""
    alpha = None
    if image.mode.startswith("I;16"):
        wide, transparent = np.asarray(image), image.info.get("transparency")
        if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            wide = 65535 - wide
        if transparent is not None:
            alpha = np.where(wide == transparent, 0, 255).astype(np.uint8)
        image = Image.fromarray(((wide.astype(np.uint32) + 128) // 257).astype(np.uint8))
    elif image.has_transparency_data:
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
    """Convert to sRGB: grey stays grey, CMYK and Lab become RGB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)) if icc_profile else ImageCms.createProfile("LAB")
        turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:
        return image  # a damaged profile: the pixels as they are
    assert turned is not None
    return turned.getchannel("G") if image.mode == "L" else turned
