"""Turns the image of an open file into sRGB pixels and alpha, whatever its bits, mode and profile."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, PngImagePlugin, TiffImagePlugin

from colorizer.pixels.colors import LARGEST, to_8_bits

_PHOTOMETRIC, _WHITE_IS_ZERO = TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 0
_BAND = 2**22  # pixels that are copied at a time
_NATIVE, _FOREIGN = ("L", "B") if sys.byteorder == "little" else ("B", "L")
# How Pillow takes the higher bytes of channels of 16 bits, and what takes the lower ones: the other byte order.
_LOW_BYTES = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA")
    for order, other in (("L", "B"), ("B", "L"), ("N", _FOREIGN))
}
_STEP_OF_GREY = {"L;2": 85, "L;4": 17}  # what Pillow makes of a code of 1 in a PNG of 2 and of 4 bits


def load_pixels(image: Image.Image, path: Path) -> None:
    """Decode the pixels of `image`, opened from `path`, and mend the transparent colour that Pillow gets wrong.

    In a PNG of 16 bits a channel it becomes alpha; in a grey one of 2 or 4 bits it is scaled as the pixels are.
    """
    stored = image.tile[0].args if isinstance(image, PngImagePlugin.PngImageFile) else None
    image.load()
    if stored == "RGB;16B" and image.info.pop("transparency", None):
        image.putalpha(Image.fromarray(_wide_alpha(path)))
    elif stored in _STEP_OF_GREY and "transparency" in image.info:
        step = _STEP_OF_GREY[stored]
        image.info["transparency"] = image.info["transparency"] * step % (255 + step)  # of the code, the lowest bits


def has_wide_channels(image: ImageFile.ImageFile) -> bool:
    """Whether the file has RGB of 16 bits a channel, of which Pillow decodes 8 only."""
    return bool(image.tile) and all(_raw_mode(tile) in _LOW_BYTES for tile in image.tile)


def take_low_bytes(image: ImageFile.ImageFile) -> None:
    """Have an image with wide channels decode their lower bytes instead of the higher ones."""
    image.tile = [tile._replace(args=_with_raw_mode(tile, _LOW_BYTES[_raw_mode(tile)])) for tile in image.tile]


def _raw_mode(tile: Any) -> str:
    """How the decoder is told that the bytes lie in a part of the file."""
    return str(tile.args[0] if isinstance(tile.args, tuple) and tile.args else tile.args)


def _with_raw_mode(tile: Any, raw_mode: str) -> Any:
    return (raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode


def join_halves(halves: Iterator[Image.Image]) -> NDArray[np.uint16]:
    """Join the lower and the higher bytes of RGB or RGBA, decoded one after the other, to (H, W, 3 or 4) uint16."""
    low = next(halves)
    wide = np.empty((low.height, low.width, len(low.getbands())), "<u2")
    parts = wide.view(np.uint8).reshape(*wide.shape, 2)
    _copy(low, parts[..., 0])
    _copy(next(halves), parts[..., 1])
    return wide.astype(np.uint16, copy=False)


def _array(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a grey or RGB image."""
    array = np.empty((image.height, image.width, *([3] if image.mode == "RGB" else [])), np.uint8)
    _copy(image, array)
    return array


def _copy(image: Image.Image, array: NDArray[np.uint8]) -> None:
    """Copy pixels in bands: NumPy's own way of doing it holds them twice more."""
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        array[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))


def _wide_alpha(path: Path) -> NDArray[np.uint8]:
    """Alpha (H, W) of a PNG of 16 bits with a transparent colour. Pillow would look for it among the upper 8 bits."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise OSError("its transparency cannot be read")
    return np.asarray(pixels[..., 3] == LARGEST, np.uint8) * np.uint8(255)


def srgb_pixels(
    image: Image.Image, icc_profile: bytes | None, wide: NDArray[np.uint16] | None, *, deep: bool
) -> tuple[NDArray, NDArray | None, bool]:
    """Pixels (H, W) or (H, W, 3), alpha, and whether the ICC profile still is that of the pixels.

    `wide` are the image's channels if they have 16 bits each. With `deep`, greys of 16 bits keep them; all others are
    uint8.
    """
    alpha: NDArray | None = None
    if wide is not None:
        pixels, transparent = wide[..., :3], image.info.get("transparency")
        if wide.shape[-1] == 4:
            alpha = wide[..., 3]
        elif transparent:
            alpha = _opaque_but(np.logical_and.reduce([wide[..., i] == transparent[i] for i in range(3)]), np.uint16)
        return pixels, alpha, _is_of(icc_profile, b"RGB ")
    if image.mode.startswith("I;16"):
        greys, transparent = np.asarray(image), image.info.get("transparency")
        if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            greys = LARGEST - greys
        if transparent is not None:
            alpha = _opaque_but(greys == transparent, np.uint16 if deep else np.uint8)
        if deep:
            wide_curve = _curve_of_16_bits(icc_profile) if icc_profile and _is_of(icc_profile, b"GRAY") else None
            return (greys if wide_curve is None else wide_curve.take(greys)), alpha, False
        image = Image.fromarray(to_8_bits(greys))
    elif image.has_transparency_data:
        with_alpha = "LA" if image.mode in ("1", "L", "LA", "La") else "RGBA"
        image = image if image.mode == with_alpha else image.convert(with_alpha)
        alpha = _array(image.getchannel("A"))
        image = image.convert(image.mode[:-1])
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "RGBX", "YCbCr"):
        image = image.convert("RGB")
    if image.mode == "RGB":
        return _array(image), alpha, _is_of(icc_profile, b"RGB ")
    if image.mode == "L":
        curve = _curve_of_8_bits(icc_profile) if icc_profile and _is_of(icc_profile, b"GRAY") else None
        return (_array(image) if curve is None else curve.take(_array(image))), alpha, False
    own_profile = icc_profile if image.mode == "CMYK" and _is_of(icc_profile, b"CMYK") else None
    if image.mode == "LAB" or own_profile:  # a damaged profile: the pixels as they are
        image = _to_srgb(image, own_profile) or image
    return _array(image.convert("RGB")), alpha, False


def _is_of(icc_profile: bytes | None, colors: bytes | None) -> bool:
    """Whether there is a profile and its pixels are of this kind, as the profile calls it."""
    return (icc_profile or b"")[16:20] == colors


def _opaque_but(transparent: NDArray[np.bool_], dtype: type[np.unsignedinteger]) -> NDArray:
    return np.where(transparent, dtype(0), np.iinfo(dtype).max).astype(dtype)


def _curve_of_8_bits(icc_profile: bytes) -> NDArray[np.uint8] | None:
    """What the 256 greys with this profile are in sRGB, or None for a damaged profile."""
    return _grey_to_srgb(np.arange(256, dtype=np.uint8)[None], icc_profile)


def _curve_of_16_bits(icc_profile: bytes) -> NDArray[np.uint16] | None:
    """What the 65,536 greys with this profile are in sRGB, or None for a damaged profile.

    Pillow converts to 8 bits. Where its result steps from a code to the next, the value is known exactly: the middle
    between the two. Between the steps it is interpolated.
    """
    codes = _grey_to_srgb(np.arange(LARGEST + 1, dtype=np.uint16).reshape(256, 256), icc_profile)
    if codes is None:
        return None
    steps = np.flatnonzero(np.diff(codes.astype(int)) > 0)
    places = [0, *(steps + 0.5), LARGEST]
    values = [codes[0], *((codes[steps].astype(int) + codes[steps + 1]) / 2), codes[-1]]
    return np.rint(np.interp(np.arange(LARGEST + 1), places, np.array(values) * 257)).astype(np.uint16)


def _grey_to_srgb(greys: NDArray[np.unsignedinteger], icc_profile: bytes) -> NDArray[np.uint8] | None:
    """Codes of 8 bits (N,). LittleCMS's optimisation would be off by 10 codes for dark greys of a linear profile."""
    turned = _to_srgb(Image.fromarray(greys), icc_profile, ImageCms.Flags.NOOPTIMIZE)
    return None if turned is None else np.asarray(turned.getchannel("G")).ravel()


def _to_srgb(
    image: Image.Image, icc_profile: bytes | None, flags: ImageCms.Flags = ImageCms.Flags.NONE
) -> Image.Image | None:
    """Convert to RGB from the profile, or from Lab without one; None for a damaged profile."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)) if icc_profile else ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB", flags=flags)
    except ImageCms.PyCMSError:
        return None
