"""Decodes photographs of many kinds to upright 8-bit sRGB pixels; whatever goes wrong is one UserError."""

import errno
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from colorizer.core.errors import UserError, is_out_of_memory
from colorizer.photographs.photographs import Photograph
from colorizer.photographs.srgb import load_pixels, srgb_pixels

MAX_PIXELS = 100_000_000
MAX_PROFILE_BYTES = 64 * 2**20  # of a colour profile, and of the texts of a PNG; Pillow's own limit is 1 MB

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
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

_MACHINE_ERRORS = (errno.EIO, errno.EMFILE, errno.ENFILE)  # for which no file is to blame

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
        load_pixels(image, path)
        icc_profile = image.info.get("icc_profile")
        if len(icc_profile or b"") > MAX_PROFILE_BYTES:
            icc_profile = None
        with suppress(*_DECODER_ERRORS):  # damaged EXIF
            ImageOps.exif_transpose(image, in_place=True)
        pixels, alpha, keeps_profile = srgb_pixels(image, icc_profile)
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
        if is_out_of_memory(error) or (isinstance(error, OSError) and error.errno in _MACHINE_ERRORS):
            raise
        if "MAX_TEXT_" in str(error):
            megabytes = MAX_PROFILE_BYTES // 2**20
            raise UserError(
                f"{path} holds texts or a colour profile of more than {megabytes} MB: save it without"
            ) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is damaged: {reason[:120]}") from error


def _open(path: Path) -> Image.Image:
    mode = path.stat().st_mode
    if not (S_ISREG(mode) or S_ISDIR(mode)):
        raise UserError(f"{path} is a pipe, a socket or a device: save what comes from it as a file")
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
