"""Real files give the pixels that OpenCV reads; what is unusual in a file costs nothing, or is told truly."""

import struct
import zlib
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from colorizer.core.errors import UserError
from colorizer.core.lab import rgb_to_lightness
from colorizer.data.sample import built_in_photographs
from colorizer.photographs.decoding import MAX_PROFILE_BYTES, read_photograph, read_size
from colorizer.photographs.files import Format, find_photographs, named
from colorizer.photographs.photographs import write_photograph
from tests.photographs.test_photographs import GREY, RGB, chunk

UNUSUAL = {"multipage_rgb.tif", "page.png"}  # 64 bits a channel; a profile of greys, which OpenCV ignores
FORMATS: tuple[Format, ...] = ("png", "jpeg", "webp", "tiff")


def assert_as_opencv_reads_it(path: Path) -> None:
    """L of what can be seen differs by at most two codes."""
    photograph, expected = read_photograph(path), cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    difference = np.abs(rgb_to_lightness(photograph.rgb) - rgb_to_lightness(np.asarray(expected, np.uint8)))
    visible = np.ones(photograph.size, bool) if photograph.alpha is None else photograph.alpha > 0
    assert difference[visible].max(initial=0) <= 2, path


def test_real_files_are_as_opencv_reads_them():
    """All pictures that scikit-image, scikit-learn, SciPy and matplotlib bring along."""
    folders = [Path(find_spec(package).origin).parent for package in ("skimage", "sklearn", "scipy", "matplotlib")]
    paths = [path for folder in folders for path, _ in find_photographs(folder) if path.name not in UNUSUAL]
    assert len(paths) > 50
    for path in paths:
        assert_as_opencv_reads_it(path)


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.jpg", "RGB", {"quality": 60, "subsampling": 2, "progressive": True}),
        ("a.jpg", "RGB", {"quality": 90, "subsampling": 1, "restart_marker_rows": 1}),
        ("a.jpg", "L", {}),
        ("a.png", "P", {"bits": 4}),
        ("a.png", "1", {}),
        ("a.tif", "RGB", {"compression": "jpeg"}),
        ("a.tif", "RGB", {"compression": "tiff_lzw"}),
        ("a.tif", "P", {"compression": "packbits"}),
        ("a.tif", "1", {"compression": "group4"}),
        ("a.webp", "RGB", {"quality": 50}),
    ],
)
def test_every_kind_of_file_is_as_opencv_reads_it(tmp_path, name, mode, options):
    photograph = Image.fromarray(dict(built_in_photographs())["chelsea.png"])
    photograph.convert(mode).save(tmp_path / name, **options)
    assert_as_opencv_reads_it(tmp_path / name)


@pytest.mark.parametrize("num_bytes", [2_000_000, 20_000_000, MAX_PROFILE_BYTES + 1])
def test_large_profiles_go_through_every_format(tmp_path, num_bytes):
    """What is written can be read again, with the profile if the format can hold it."""
    profile = bytes(16) + b"RGB " + np.random.default_rng(0).bytes(num_bytes - 20)
    Image.fromarray(RGB).save(tmp_path / "a.tif", icc_profile=profile)
    original = read_photograph(tmp_path / "a.tif")
    for file_format in FORMATS:
        path = named(tmp_path / "out" / "a.tif", file_format)
        write_photograph(path, original, file_format)
        held = 255 * 65_519 if file_format == "jpeg" else MAX_PROFILE_BYTES
        assert read_photograph(path).icc_profile == (profile if num_bytes <= held else None)


def test_texts_of_a_png(tmp_path):
    def png(num_letters: int) -> Path:
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", "x" * num_letters, zip=True)
        Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=texts)
        return tmp_path / "a.png"

    assert np.array_equal(read_photograph(png(5_000_000)).pixels, RGB)
    bomb = png(3 * MAX_PROFILE_BYTES)
    assert bomb.stat().st_size < 1_000_000
    for read in (read_size, read_photograph):
        with pytest.raises(UserError, match=r"a.png holds texts or a colour profile of more than 64 MB: save it with"):
            read(bomb)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_transparent_colour_of_16_bits(tmp_path, orientation):
    wide = np.full((2, 3, 3), 1000, ">u2")
    wide[0, 0] = 1001  # the same in 8 bits
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    exif = Image.Exif()
    exif[274] = orientation
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 3, 2, 16, 2, 0, 0, 0),
        b"tRNS": struct.pack(">HHH", 1000, 1000, 1000),
        b"eXIf": exif.tobytes().removeprefix(b"Exif\0\0"),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    content = b"".join(chunk(kind, data) for kind, data in chunks.items())
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    photograph = read_photograph(tmp_path / "a.png")
    expected = np.zeros((2, 3), np.uint8)
    expected[0, 0] = 255
    assert np.array_equal(photograph.alpha, expected if orientation == 1 else np.rot90(expected, -1))
    assert (photograph.pixels == 1000 >> 8).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_grey_of_few_bits(tmp_path, bits):
    """Of a value that is too large the lowest bits count, as PNG's standard says."""
    num_greys = 2**bits
    codes = np.arange(max(num_greys, 8))[None] % num_greys
    packed = np.packbits(np.unpackbits(codes.astype(np.uint8)[..., None], axis=-1)[..., -bits:].reshape(-1))
    for transparent in {0, 1, num_greys // 2, num_greys - 1, num_greys + num_greys // 2, 2**16 - 1}:
        chunks = {
            b"IHDR": struct.pack(">IIBBBBB", codes.size, 1, bits, 0, 0, 0, 0),
            b"tRNS": struct.pack(">H", transparent),
            b"IDAT": zlib.compress(b"\0" + packed.tobytes()),
            b"IEND": b"",
        }
        content = b"".join(chunk(kind, data) for kind, data in chunks.items())
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        photograph = read_photograph(tmp_path / "a.png")
        assert np.array_equal(photograph.pixels, codes * 255 // (num_greys - 1))
        assert np.array_equal(photograph.alpha == 0, codes == transparent % num_greys), transparent


@pytest.mark.parametrize("suffix", [".tif", ".png", ".webp"])
def test_an_alpha_channel_without_transparency_goes_into_a_jpeg(tmp_path, suffix):
    Image.fromarray(np.dstack([RGB, np.full_like(GREY, 255)])).save(tmp_path / f"a{suffix}", lossless=True)
    write_photograph(tmp_path / "a.jpg", read_photograph(tmp_path / f"a{suffix}"), "jpeg")
    assert read_photograph(tmp_path / "a.jpg").pixels.shape == RGB.shape


def test_exif_of_a_big_tiff_can_be_read_again(tmp_path):
    exif = Image.Exif()
    exif[270] = "a house"
    Image.fromarray(RGB).save(tmp_path / "a.tif", big_tiff=True, exif=exif)
    original = read_photograph(tmp_path / "a.tif")
    for file_format in FORMATS:
        path = named(tmp_path / "out" / "a.tif", file_format)
        write_photograph(path, original, file_format)
        assert read_size(path) == original.size
        kept = Image.Exif()
        kept.load(read_photograph(path).exif)
        assert kept[270] == "a house"


def test_exif_that_cannot_be_read_is_no_reason_to_refuse(tmp_path):
    for name in ("a.jpg", "a.png", "a.webp"):
        Image.fromarray(RGB).save(tmp_path / name, exif=b"Exif\0\0II+\0\x08\0\0\0\x08\0\0\0\0\0")
        assert read_size(tmp_path / name) == RGB.shape[:2]
        assert read_photograph(tmp_path / name).size == RGB.shape[:2]


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(np.float32, "pixels of 32 bits"), (np.int32, "signed pixels of 32 bits"), (np.int16, "signed pixels of 16 bits")],
)
def test_wider_pixels_are_named(tmp_path, dtype, kind):
    signed = {339: 2} if dtype == np.int16 else {}  # Pillow writes them as unsigned ones
    Image.fromarray(np.zeros((4, 4), np.uint16 if signed else dtype)).save(tmp_path / "a.tif", tiffinfo=signed)
    with pytest.raises(UserError, match=f"a.tif has {kind}: save it with 8 or 16 bits a channel, unsigned and inter"):
        read_photograph(tmp_path / "a.tif")
