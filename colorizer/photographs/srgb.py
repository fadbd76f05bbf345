"""Turns the image of an open file into 8-bit sRGB pixels and alpha, whatever its bits, mode and profile."""

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

_PHOTOMETRIC, _WHITE_IS_ZERO = TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 0
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


def _wide_alpha(path: Path) -> NDArray[np.uint8]:
    """Alpha (H, W) of a PNG of 16 bits with a transparent colour. Pillow would look for it among the upper 8 bits."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise OSError("its transparency cannot be read")
    return np.asarray(pixels[..., 3] == 65535, np.uint8) * np.uint8(255)


def srgb_pixels(
    image: Image.Image, icc_profile: bytes | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, bool]:
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
