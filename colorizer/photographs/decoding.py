"""Decodes photographs of many kinds to upright sRGB pixels; whatever goes wrong is one UserError."""

import errno
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import pi_heif
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps, PngImagePlugin, TiffImagePlugin

from colorizer.core.errors import UserError, is_out_of_memory
from colorizer.photographs.camera_raw import develop, raw_exif, read_raw_size
from colorizer.photographs.files import RAW_SUFFIXES
from colorizer.photographs.photographs import Photograph
from colorizer.photographs.srgb import has_wide_channels, join_halves, load_pixels, srgb_pixels, take_low_bytes

MAX_PIXELS = 300_000_000
MAX_PROFILE_BYTES = 64 * 2**20  # of a colour profile, and of the texts of a PNG; Pillow's own limit is 1 MB

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF")
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
pi_heif.register_heif_opener()
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_PROFILE_BYTES
warnings.filterwarnings("ignore", module="PIL")  # of damaged EXIF and the like


def read_size(path: Path) -> tuple[int, int]:
    """Read height and width from the header, without decoding pixels.

    They may be swapped for the few kinds of files whose orientation is not in the header. Raises UserError as
    `read_photograph` does.
    """
    with _decoding(path):
        if _is_raw(path):
            return _checked_raw_size(path)
        with _open(path) as image:
            width, height = image.size
            # Pillow gives the size of a TIFF the right way up, as pi-heif does, and decodes a whole PNG to find its
            # orientation.
            lies = False
            if image.format in ("JPEG", "MPO", "WEBP", "AVIF"):
                with suppress(*_DECODER_ERRORS):  # damaged EXIF
                    lies = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            return (width, height) if lies else (height, width)


def read_photograph(path: Path, *, at_least: int | None = None, deep: bool = False) -> Photograph:
    """Decode a photograph; of several pages or frames the first.

    With `at_least`, a JPEG or a camera RAW may come smaller, but with sides of at least that many pixels, for a
    fraction of the time. With `deep`, the pixels of a PNG, TIFF or camera RAW of more than 8 bits, grey or RGB, are
    uint16; otherwise they become 8 bits. Pixels with a grey or CMYK profile are converted to sRGB, because the profile
    would not fit a coloured picture. A profile of more than MAX_PROFILE_BYTES is left out. Raises UserError when the
    file is missing, damaged, of none of the formats, of a kind whose pixels Pillow would get wrong, or has more than
    MAX_PIXELS pixels, and for a camera RAW without rawpy.
    """
    with _decoding(path):
        return _develop(path, at_least, deep) if _is_raw(path) else _decode(path, at_least, deep)


def _decode(path: Path, at_least: int | None, deep: bool) -> Photograph:
    with _open(path) as image:
        if at_least and image.format in ("JPEG", "MPO"):
            image.draft(None, (at_least, at_least))
        wide = join_halves(_halves(image, path)) if deep and has_wide_channels(image) else None
        if wide is None:
            load_pixels(image, path)
            _turn_upright(image)
        icc_profile = image.info.get("icc_profile")
        if len(icc_profile or b"") > MAX_PROFILE_BYTES:
            icc_profile = None
        pixels, alpha, keeps_profile = srgb_pixels(image, icc_profile, wide, deep=deep)
        return Photograph(
            pixels=pixels,
            alpha=alpha,
            exif=_exif(image),
            icc_profile=icc_profile if keeps_profile else None,
            dpi=_dpi(image),
        )


def _halves(image: ImageFile.ImageFile, path: Path) -> Iterator[Image.Image]:
    """Decode the lower bytes of channels of 16 bits, then the higher ones, each upright; one of both in memory."""
    with _open(path) as low:
        take_low_bytes(low)
        low.load()
        _turn_upright(low)
        yield low
        low.close()
    image.load()
    _turn_upright(image)
    yield image


def _turn_upright(image: Image.Image) -> None:
    with suppress(*_DECODER_ERRORS):  # damaged EXIF
        ImageOps.exif_transpose(image, in_place=True)


def _is_raw(path: Path) -> bool:
    return path.suffix.lower() in RAW_SUFFIXES


def _checked_raw_size(path: Path) -> tuple[int, int]:
    height, width = read_raw_size(path)
    if reason := _refused_size(width, height):
        raise UserError(f"{path} {reason}")
    return height, width


def _develop(path: Path, at_least: int | None, deep: bool) -> Photograph:
    size = _checked_raw_size(path)
    half_size = at_least is not None and min(size) >= 2 * at_least
    exif = None
    with suppress(*_DECODER_ERRORS):  # damaged EXIF
        exif = raw_exif(path).tobytes()
    return Photograph(pixels=develop(path, bits=16 if deep else 8, half_size=half_size), exif=exif or None)


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn what decoders raise on a damaged file into one UserError."""
    try:
        mode = path.stat().st_mode
        if not (S_ISREG(mode) or S_ISDIR(mode)):
            raise UserError(f"{path} is a pipe, a socket or a device: save what comes from it as a file")
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


def _open(path: Path) -> ImageFile.ImageFile:
    try:
        image = Image.open(path, formats=_FORMATS)
    except Image.UnidentifiedImageError as error:
        raise UserError(
            f"{path} is not a JPEG, PNG, WebP, TIFF, HEIC or AVIF photograph of a known kind, or its beginning is "
            "damaged"
        ) from error
    if reason := _refusal(image):
        image.close()
        raise UserError(f"{path} {reason}")
    return image


def _refusal(image: Image.Image) -> str:
    """Say why an image is refused before decoding; empty if it is accepted."""
    if reason := _refused_size(*image.size):
        return reason
    wrong = _wrong_pixels(image)
    return f"has {wrong}: save it with 8 or 16 bits a channel, unsigned and interleaved" if wrong else ""


def _refused_size(width: int, height: int) -> str:
    if width * height > MAX_PIXELS:
        return f"claims {width} x {height} pixels: at most {MAX_PIXELS // 1_000_000} megapixels"
    return f"is damaged: it claims {width} x {height} pixels" if width * height == 0 else ""


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
