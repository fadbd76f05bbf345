"""Scans of 16 bits a channel keep them: no banding, the same lightness, and all that came along."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorizer.data.sample import built_in_photographs
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.files import Format, named
from colorizer.photographs.photographs import Photograph, write_photograph
from tests.photographs.test_photographs import SRGB_PROFILE, grey_profile
from tests.support.colorizer_command import run_colorizer

DESCRIPTION, EXPOSURE, ORIENTATION = 270, 34665, 274
GREY = dict(built_in_photographs())["china.jpg"][..., 1].astype(np.uint16) * 257
GREY[:60] = np.arange(60 * 640).reshape(60, 640) // 10 + 20_000  # a sky: 15 codes of 8 bits, 3,840 of 16
RGB = np.random.default_rng(0).integers(0, 2**16, (40, 70, 3), dtype=np.uint16)
ALPHA = np.random.default_rng(1).integers(0, 2**16, (40, 70), dtype=np.uint16)
DEEP: tuple[Format, ...] = ("png", "tiff")


@pytest.fixture
def colorize(miniature, monkeypatch):
    monkeypatch.chdir(miniature.path)
    return lambda *arguments: run_colorizer("colorize", *arguments)


def lightness(pixels: np.ndarray) -> np.ndarray:
    """L of greys (H, W) or sRGB (H, W, 3) uint16, in float64: 0 to 65,535."""
    encoded = (pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)) / 65535
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    y = light @ (0.212671, 0.715160, 0.072169)
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3) * 655.35


def read(path: Path) -> np.ndarray:
    """The pixels as this project reads them; a TIFF's as another program does, too."""
    pixels = read_photograph(path, deep=True).pixels
    if path.suffix == ".tif":
        np.testing.assert_array_equal(tifffile.imread(path)[..., :3], pixels)
    return pixels


@pytest.mark.parametrize("strength", ["1", "4"])
@pytest.mark.parametrize("file_format", DEEP)
def test_the_lightness_of_a_scan_keeps_its_16_bits(colorize, tmp_path, file_format, strength):
    """Within one of 65,535 codes, strong colours that lie outside sRGB included."""
    Image.fromarray(GREY).save(tmp_path / "scan.tif", dpi=(1200, 1200))
    arguments = ("--out", tmp_path / "out", "--format", file_format, "--strength", strength)
    assert colorize(tmp_path / "scan.tif", *arguments) == 0
    path = named(tmp_path / "out" / "scan", file_format)
    colored = read(path)
    assert (colored.dtype, colored.shape) == (np.uint16, (*GREY.shape, 3))
    assert np.abs(lightness(colored) - lightness(GREY)).max() < 1
    assert len(np.unique(colored[:60, :, 1])) > 3000  # in 8 bits these would be 16
    assert np.ptp(colored.astype(int), axis=-1).mean() > 100
    assert np.allclose(read_photograph(path).dpi, 1200, atol=0.05)


def test_eight_and_sixteen_bits_agree(colorize, tmp_path):
    """In 8 bits out, of 8 bits in, and from 16: the colours are the same, and L is within 1 code of 8 bits."""
    album = tmp_path / "album"
    album.mkdir()
    for name, pixels in (("narrow.png", (GREY // 257).astype(np.uint8)), ("wide.png", GREY)):
        Image.fromarray(pixels).save(album / name)
    for file_format in ("png", "webp", "jpeg"):
        assert colorize(album, "--out", tmp_path / file_format, "--format", file_format) == 0
    wide, narrow = (read_photograph(tmp_path / "png" / name, deep=True).pixels for name in ("wide.png", "narrow.png"))
    assert (wide.dtype, narrow.dtype) == (np.uint16, np.uint8)
    assert np.abs(wide[60:] / 257 - narrow[60:]).max() <= 2
    webp = read_photograph(tmp_path / "webp" / "wide.webp").pixels
    assert np.abs(lightness(webp.astype(np.uint16) * 257) - lightness(GREY)).max() < 1.5 * 257
    assert read_photograph(tmp_path / "jpeg" / "wide.jpg").pixels.dtype == np.uint8


def test_one_tone_of_grey(colorize, tmp_path):
    """No colour lies outside sRGB."""
    Image.fromarray(np.full((64, 64), 30_001, np.uint16)).save(tmp_path / "a.png")
    assert colorize(tmp_path / "a.png", "--out", tmp_path / "out") == 0
    assert np.abs(lightness(read(tmp_path / "out" / "a.png")) - lightness(np.full((1, 1), 30_001))).max() < 1


@pytest.mark.parametrize("file_format", DEEP)
@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_what_is_written_is_read_again(tmp_path, file_format, alpha):
    exif = Image.Exif()
    exif[DESCRIPTION] = "a house"
    exif.get_ifd(EXPOSURE)[33434] = 0.008  # seconds
    original = Photograph(pixels=RGB, alpha=alpha, exif=exif.tobytes(), icc_profile=SRGB_PROFILE, dpi=(300, 600))
    path = named(tmp_path / "a", file_format)
    write_photograph(path, original, file_format)
    np.testing.assert_array_equal(read(path), RGB)
    with Image.open(path) as image:  # as Pillow, which knows 8 bits only
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), RGB >> 8)
    written = read_photograph(path, deep=True)
    assert (written.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(written.alpha, alpha)
    kept = Image.Exif()
    kept.load(written.exif)
    assert (kept[DESCRIPTION], float(kept.get_ifd(EXPOSURE)[33434])) == ("a house", 0.008)
    assert written.icc_profile == SRGB_PROFILE
    assert np.allclose(written.dpi, (300, 600), atol=0.05)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": True}, {"byteorder": ">"}])
def test_tiffs_of_other_programs(tmp_path, options):
    for pixels in (RGB, np.dstack([RGB, ALPHA])):
        extra = {"extrasamples": ["unassalpha"]} if pixels.shape[-1] == 4 else {}
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", rowsperstrip=7, **extra, **options)
        np.testing.assert_array_equal(read_photograph(tmp_path / "a.tif", deep=True).pixels, RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", DEEP)
def test_orientation(tmp_path, file_format, orientation):
    """As with 8 bits."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = named(tmp_path / "a", file_format)
    write_photograph(path, Photograph(pixels=RGB, exif=exif.tobytes()), file_format)
    wide, narrow = read_photograph(path, deep=True).pixels, read_photograph(path).pixels
    assert wide.shape == ((40, 70, 3) if orientation < 5 else (70, 40, 3))
    np.testing.assert_array_equal(wide >> 8, narrow)


def test_a_transparent_colour(tmp_path):
    wide = GREY[:9, :9].copy()
    wide[0, 0] = 1234
    Image.fromarray(wide).save(tmp_path / "a.png", transparency=1234)
    photograph = read_photograph(tmp_path / "a.png", deep=True)
    assert photograph.alpha.dtype == np.uint16
    np.testing.assert_array_equal(photograph.alpha == 0, wide == 1234)
    assert photograph.alpha.max() == 65535


def test_a_profile_of_greys_is_applied_at_16_bits(tmp_path):
    """What a scanner calls linear becomes sRGB, without steps."""
    greys = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(greys).save(tmp_path / "a.tif", icc_profile=grey_profile())
    photograph = read_photograph(tmp_path / "a.tif", deep=True)
    light = greys.ravel() / 65535
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 65535
    assert np.abs(photograph.pixels.ravel() - encoded).max() < 40
    assert len(np.unique(photograph.pixels)) > 40_000
    assert photograph.icc_profile is None
    Image.fromarray(greys).save(tmp_path / "b.tif", icc_profile=grey_profile()[:200])  # damaged
    np.testing.assert_array_equal(read_photograph(tmp_path / "b.tif", deep=True).pixels, greys)
